//! Child processes that never outlive their recording.
//!
//! Each child leads a session of its own, is killed with the whole of it, and is killed by the
//! kernel when panorec itself is killed.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::process::{Child as Process, Command};

use super::identity::Identity;

/// What a child gets of the environment; nothing of ours is passed on.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// How long a child may take to end when asked.
const GRACE: Duration = Duration::from_secs(2);
/// How much of a log file an error quotes, in bytes.
const LOG_TAIL: usize = 600;

/// A child process could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    #[error("cannot start {name}: {source}; is it installed? (make setup installs all that is needed)")]
    Start { name: &'static str, source: io::Error },
    #[error("{name} ended ({status}): {log}")]
    Ended { name: &'static str, status: String, log: String },
    #[error("{name} was not ready within {seconds} s: {log}")]
    NotReady { name: &'static str, seconds: u64, log: String },
}

/// A command for a child; std's, with what every child of a recording has in common.
pub struct Recipe {
    name: &'static str,
    command: Command,
    log: PathBuf,
    no_new_privileges: bool,
}

impl Recipe {
    /// `name` is how errors call it; its stderr goes to `<name>.log` in `folder`, its home.
    pub fn new(name: &'static str, program: &Path, folder: &Path, identity: Identity) -> Self {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8").env("HOME", folder);
        command.env("XDG_RUNTIME_DIR", folder).env("TMPDIR", folder).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        if let Identity::Dropped(uid) = identity {
            command.uid(uid).gid(uid);
        }
        Self { name, command, log: folder.join(format!("{name}.log")), no_new_privileges: true }
    }

    /// The child may run programs that gain privileges (setuid), as Chrome's sandbox helper does.
    pub fn may_gain_privileges(&mut self) {
        self.no_new_privileges = false;
    }

    pub fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Starts the child.
    pub fn spawn(self) -> Result<Child, ChildError> {
        let Self { name, mut command, log: log_path, no_new_privileges } = self;
        let failed = |source| ChildError::Start { name, source };
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&log_path).map_err(failed)?;
        command.stderr(log);
        let parent = nix::unistd::getpid();
        // SAFETY: only async-signal-safe calls between fork and exec.
        unsafe {
            command.pre_exec(move || {
                nix::unistd::setsid()?;
                nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
                if no_new_privileges {
                    nix::sys::prctl::set_no_new_privs()?;
                }
                // The parent may have died before the line above.
                if nix::unistd::getppid() != parent {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                Ok(())
            });
        }
        let process = on_lasting_thread(move || command.spawn()).map_err(failed)?;
        let pid =
            process.id().map(|pid| Pid::from_raw(pid as i32)).ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        tracing::debug!(name, %pid, "started");
        Ok(Child { name, process, pid, log: log_path })
    }
}

/// Runs a task on a thread that lives as long as panorec does: the kernel ties a child's life to
/// the thread that made it, and the runtime's own threads come and go.
fn on_lasting_thread<T: Send + 'static>(task: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    type Task = Box<dyn FnOnce() + Send>;
    static TASKS: OnceLock<Option<SyncSender<Task>>> = OnceLock::new();
    let tasks = TASKS.get_or_init(|| {
        let (tasks, received) = sync_channel::<Task>(0);
        let thread = std::thread::Builder::new().name("spawner".into());
        thread.spawn(move || received.into_iter().for_each(|task| task())).ok().map(|_| tasks)
    });
    let gone = || io::Error::other("the thread that starts processes is gone");
    let runtime = tokio::runtime::Handle::current();
    let (answer, answered) = sync_channel(1);
    let task = Box::new(move || {
        let _runtime = runtime.enter();
        let _ = answer.send(task());
    });
    tasks.as_ref().ok_or_else(gone)?.send(task).map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())?
}

/// A running child; dropping it kills it and everything in its session.
#[derive(Debug)]
pub struct Child {
    pub name: &'static str,
    process: Process,
    pid: Pid,
    log: PathBuf,
}

impl Child {
    pub fn pid(&self) -> Pid {
        self.pid
    }

    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Waits for the end, which is noticed at once.
    pub async fn ended(&mut self) -> ChildError {
        let status = self.process.wait().await;
        self.error_ended(status.ok())
    }

    /// Whether it has ended by now.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    /// Waits for `ready`, for the child's end, or for the deadline.
    pub async fn ready<T>(
        &mut self,
        within: Duration,
        ready: impl Future<Output = io::Result<T>>,
    ) -> Result<T, ChildError> {
        let name = self.name;
        tokio::select! {
            value = ready => value.map_err(|source| ChildError::Start { name, source }),
            error = async { let status = self.process.wait().await; status.ok() } => Err(self.error_ended(error)),
            () = tokio::time::sleep(within) =>
                Err(ChildError::NotReady { name, seconds: within.as_secs(), log: self.log_tail() }),
        }
    }

    fn error_ended(&self, status: Option<ExitStatus>) -> ChildError {
        let status = status.map_or_else(|| "unknown".to_owned(), |s| s.to_string());
        ChildError::Ended { name: self.name, status, log: self.log_tail() }
    }

    /// The end of the child's log on one line.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let tail = &text[text.len().saturating_sub(LOG_TAIL)..];
        String::from_utf8_lossy(tail).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Asks the child to end, then makes it.
    pub async fn end(mut self) {
        let _ = kill(self.pid, Signal::SIGTERM);
        let _ = tokio::time::timeout(GRACE, self.process.wait()).await;
        self.kill();
        let _ = tokio::time::timeout(GRACE, self.process.wait()).await;
    }

    /// Kills it and everything in its session.
    pub fn kill(&self) {
        // The session outlives its leader, so this reaches what a dead child left behind.
        let _ = killpg(self.pid, Signal::SIGKILL);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Finds a program by absolute candidates first, then by name on the PATH of children.
pub fn find_program(candidates: &[&str]) -> Option<PathBuf> {
    let on_path = |name: &str| PATH.split(':').map(|dir| Path::new(dir).join(name)).find(|p| p.is_file());
    candidates.iter().find_map(|name| {
        let path = Path::new(name);
        if path.is_absolute() { path.is_file().then(|| path.to_path_buf()) } else { on_path(name) }
    })
}
