//! Runs the panorec of this build as a person would, with a deadline on everything.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Scratch;
use super::load::Load;
use super::procs::{Process, Watch, descendants};

/// Nothing of the recorder takes longer than this besides what it was asked to record.
const DEADLINE: Duration = Duration::from_secs(90);
const MARK: &str = "PANOREC_TEST_MARK";

/// Which child of the recorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Browser,
    Renderer,
    Display,
    Sound,
    Encoder,
}

impl Kind {
    fn matches(self, process: &Process) -> bool {
        let program = process.program();
        let line = process.command_line();
        let browser = program.contains("chrom");
        match self {
            Kind::Browser => browser && !line.contains("--type=") && !program.contains("crashpad"),
            Kind::Renderer => browser && is_page(&line),
            Kind::Display => program == "Xorg" || program == "Xvfb",
            Kind::Sound => program == "pulseaudio",
            // Not the one that cuts a live list.
            Kind::Encoder => program == "ffmpeg" && line.contains("-cluster_time_limit"),
        }
    }
}

/// Whether a renderer's command line is a page's: Chrome draws parts of its own window so, too.
fn is_page(line: &str) -> bool {
    line.contains("--type=renderer") && !line.contains("--extension-process") && !line.contains("--top-chrome-webui")
}

/// A command line to be run.
pub struct Panorec {
    command: Command,
    session: Option<PathBuf>,
    place: Option<Box<dyn Fn(i32) -> PathBuf>>,
    temporary: Option<PathBuf>,
    json: bool,
}

/// A running one; killed with all its children when dropped.
pub struct Run {
    child: Child,
    watch: Watch,
    began: Instant,
    stdout: PathBuf,
    stderr: PathBuf,
    session: Option<PathBuf>,
    json: bool,
    temporary: PathBuf,
    _files: Scratch,
}

/// How one ended.
pub struct Ended {
    pub code: Option<i32>,
    pub json: Value,
    pub stderr: String,
    /// From the start of the command to its end.
    pub took: Duration,
    pub load: Load,
}

impl Panorec {
    pub fn new(subcommand: &str) -> Panorec {
        let mut command = Command::new(env!("CARGO_BIN_EXE_panorec"));
        command.arg(subcommand);
        Panorec { command, session: None, place: None, temporary: None, json: false }
    }

    /// `record URL -o OUTPUT --session SESSION --json`; the session folder is `session` in `scratch`.
    pub fn record(url: &str, output: &Path, scratch: &Scratch) -> Panorec {
        let session = scratch.join("session");
        let mut one = Panorec::new("record").arg(url).arg("-o").arg(output).arg("--json");
        one.command.arg("--session").arg(&session);
        one.session = Some(session);
        one.json = true;
        one
    }

    pub fn resume(session: &Path) -> Panorec {
        let mut one = Panorec::new("resume").arg(session).arg("--json");
        one.session = Some(session.to_owned());
        one.json = true;
        one
    }

    pub fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Panorec {
        self.command.arg(arg);
        self
    }

    /// Several, written as on a command line; no quoting.
    pub fn args(mut self, args: &str) -> Panorec {
        self.command.args(args.split_whitespace());
        self
    }

    /// Runs it by `sh -c SCRIPT`, where `exec "$@"` is panorec; for limits and mounts of its own.
    pub fn inside(mut self, program: &str, args: &[&str], script: &str) -> Panorec {
        let mut outer = Command::new(program);
        outer.args(args).args(["sh", "-c", script, "sh"]);
        outer.arg(self.command.get_program()).args(self.command.get_args());
        self.command = outer;
        self
    }

    /// Where the test finds the session folder, when that is another place than panorec's.
    pub fn session_seen_at(mut self, place: impl Fn(i32) -> PathBuf + 'static) -> Panorec {
        self.place = Some(Box::new(place));
        self
    }

    /// In a folder as `folder_for_temporary_files` makes it, instead of one of its own.
    pub fn temporary_files_in(mut self, folder: &Path) -> Panorec {
        self.temporary = Some(folder.to_owned());
        self
    }

    pub fn spawn(mut self) -> Run {
        let files = Scratch::new();
        let (stdout, stderr) = (files.join("stdout"), files.join("stderr"));
        let temporary = self.temporary.unwrap_or_else(|| folder_for_temporary_files(&files));
        let mark = format!("{}-{:?}", std::process::id(), Instant::now());
        self.command
            .env(MARK, &mark)
            .env("TMPDIR", &temporary)
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).expect("a file for stdout"))
            .stderr(File::create(&stderr).expect("a file for stderr"))
            .process_group(0);
        println!("    $ {}", shown(&self.command));
        let child = self.command.spawn().expect("panorec starts");
        let pid = child.id() as i32;
        let watch = Watch::new(child.id() as i32, format!("{MARK}={mark}"));
        Run {
            child,
            watch,
            began: Instant::now(),
            stdout,
            stderr,
            session: self.place.map(|place| place(pid)).or(self.session),
            json: self.json,
            temporary,
            _files: files,
        }
    }

    /// Runs to the end; `length` is what it was asked to record.
    pub fn run(self, length: Duration) -> Ended {
        self.spawn().end(length)
    }
}

fn shown(command: &Command) -> String {
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    format!("panorec {}", args.join(" "))
}

impl Run {
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    pub fn session(&self) -> &Path {
        self.session.as_deref().expect("started with a session folder")
    }

    pub fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// What the recorder has journaled so far, of all its runs in order.
    pub fn events(&self) -> Vec<Value> {
        events(self.session())
    }

    /// Waits for the `count`th event of that name, counted over all runs.
    pub fn wait_for(&mut self, event: &str, count: usize) -> Value {
        self.wait_for_event(event, count, |_| true)
    }

    pub fn wait_for_event(&mut self, name: &str, count: usize, fits: impl Fn(&Value) -> bool) -> Value {
        let what = format!("event {name} number {count}");
        self.wait(&what, DEADLINE, |run| {
            let of_name = |event: &Value| event["event"] == name && fits(event);
            run.events().into_iter().filter(of_name).nth(count - 1)
        })
    }

    /// Waits until the recording has its first frame.
    pub fn wait_recording(&mut self) {
        self.wait_for("partOpened", 1);
    }

    /// Waits until `found` gives something; fails at the deadline or when panorec ends before.
    pub fn wait<T>(&mut self, what: &str, deadline: Duration, found: impl Fn(&Run) -> Option<T>) -> T {
        let until = Instant::now() + deadline;
        loop {
            if let Some(value) = found(self) {
                return value;
            }
            let ended = self.child.try_wait().expect("wait for panorec");
            if let Some(status) = ended
                && found(self).is_none()
            {
                panic!("panorec ended ({status}) while waiting for {what}:\n{}", self.tail());
            }
            assert!(Instant::now() < until, "no {what} within {deadline:?}:\n{}", self.tail());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `panorec ctl SESSION WORD`.
    pub fn ctl(&self, word: &str) {
        let ended = Panorec::new("ctl").arg(self.session()).arg(word).run(Duration::ZERO);
        assert_eq!(ended.code, Some(0), "panorec ctl {word}: {}", ended.stderr);
    }

    pub fn find(&self, kind: Kind) -> Option<Process> {
        let mut found = descendants(self.pid());
        found.retain(|process| kind.matches(process));
        // The page's renderer is the one that works; Chrome keeps a spare one of about the same size.
        match kind {
            Kind::Renderer => found.into_iter().max_by(|a, b| a.cpu_seconds().total_cmp(&b.cpu_seconds())),
            _ => found.into_iter().next(),
        }
    }

    /// Kills a child without warning; returns when it is gone.
    pub fn kill9(&mut self, kind: Kind) -> Process {
        let what = format!("{kind:?} among the children");
        let victim = self.wait(&what, DEADLINE, |run| run.find(kind));
        victim.kill();
        self.wait("end of the killed child", DEADLINE, |_| (!victim.is_alive()).then_some(()));
        victim
    }

    /// Kills panorec itself; its children stay behind until they notice.
    pub fn kill9_panorec(&mut self) {
        self.child.kill().expect("kill panorec");
        self.child.wait().expect("reap panorec");
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: plain system call on a child that was not waited for.
        unsafe { libc::kill(self.pid(), signal) };
    }

    /// The recorder, X, Chrome and so on that are alive.
    pub fn alive(&self) -> Vec<Process> {
        self.watch.alive()
    }

    pub fn wait_gone(&self, deadline: Duration) -> Result<(), Vec<String>> {
        self.watch.wait_gone(deadline)
    }

    /// Waits for the end; `length` is what there was left to record.
    pub fn end(mut self, length: Duration) -> Ended {
        let until = Instant::now() + length + DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("wait for panorec") {
                break status;
            }
            if Instant::now() > until {
                let (left, tail) = (self.watch.alive(), self.tail());
                let names: Vec<_> = left.iter().map(Process::program).collect();
                panic!("panorec did not end in time; running: {names:?}\n{tail}");
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let took = self.began.elapsed();
        let load = self.watch.load();
        let left = self.watch.wait_gone(Duration::from_secs(5));
        assert_eq!(left, Ok(()), "processes left behind");
        if status.code().is_some() {
            assert_eq!(names_in(&self.temporary), [""; 0], "temporary files left behind");
        }
        let stdout = fs::read_to_string(&self.stdout).unwrap_or_default();
        let json = match serde_json::from_str(&stdout) {
            Ok(json) => json,
            Err(error) if self.json && status.code() == Some(0) => {
                panic!("--json printed no JSON ({error}): {stdout:.500}\n{}", self.tail())
            }
            Err(_) => Value::Null,
        };
        Ended { code: status.code(), json, stderr: self.stderr(), took, load }
    }

    fn tail(&self) -> String {
        let text = self.stderr();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The watch kills the rest.
    }
}

impl Ended {
    /// The one way a recording should end.
    pub fn assert_done(&self) {
        assert_eq!(self.code, Some(0), "panorec failed:\n{}", self.stderr);
    }
}

/// A folder in which a recorder's user, who may be another than we are, reaches its own.
pub fn folder_for_temporary_files(scratch: &Scratch) -> PathBuf {
    let folder = scratch.join("tmp");
    fs::create_dir(&folder).expect("a folder for temporary files");
    for folder in [scratch.path(), &folder] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o711)).expect("its mode");
    }
    folder
}

pub fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The recorder's journal of a session, all runs in order.
pub fn events(session: &Path) -> Vec<Value> {
    let runs = session.join("recorder/runs");
    let mut numbers: Vec<u32> = fs::read_dir(&runs)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    numbers.sort_unstable();
    let mut found = Vec::new();
    for number in numbers {
        let path = runs.join(number.to_string()).join("journal.jsonl");
        let bytes = fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        found.extend(text.lines().filter_map(|line| serde_json::from_str(line).ok()));
    }
    found
}
