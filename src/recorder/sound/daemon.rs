//! The Pulse daemon of a recording.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::stream::{Chunk, Monitor, SAMPLE_RATE, join};
use crate::recorder::child::{Child, ChildError, Recipe, find_program};
use crate::recorder::files::appears;
use crate::recorder::processes::run_first;
use crate::recorder::workplace::Workplace;

/// The null sink that Chrome plays into.
pub const SINK: &str = "panorec";
const READY: Duration = Duration::from_secs(10);

/// No sound could be had.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    #[error(transparent)]
    Child(#[from] ChildError),
    #[error("pulseaudio not found: install pulseaudio")]
    Missing,
    #[error("cannot reach the Pulse daemon: {0}")]
    Io(#[from] io::Error),
    #[error("the Pulse daemon refused: {0}")]
    Refused(String),
}

/// A running daemon with us joined to its sink; ends with its value.
#[derive(Debug)]
pub struct Sound {
    pub child: Child,
    socket: PathBuf,
    _monitor: Monitor,
}

impl Sound {
    /// Starts the daemon and joins its sink; `tell` gets the sound from now on.
    pub async fn start(workplace: &Workplace, tell: impl FnMut(Chunk) + Send + 'static) -> Result<Self, SoundError> {
        let program = find_program(&["pulseaudio"]).ok_or(SoundError::Missing)?;
        let folder = workplace.folder("pulse")?;
        let socket = folder.join("socket");
        let _ = std::fs::remove_file(&socket);
        let settings = workplace.file("pulse", "daemon.conf", settings().as_bytes())?;
        let mut recipe = Recipe::new("pulseaudio", &program, &folder, workplace.identity);
        recipe.command().env("PULSE_CONFIG", settings);
        recipe.command().args([
            "-n",
            "--daemonize=no",
            "--use-pid-file=no",
            "--exit-idle-time=-1",
            "--disallow-exit",
            "--high-priority=no",
            "--realtime=no",
            "--log-target=stderr",
        ]);
        recipe
            .command()
            .arg("-L")
            .arg(format!("module-null-sink sink_name={SINK} rate={SAMPLE_RATE} channels=2 norewinds=1"));
        // Only this recording's user can reach the socket, by the mode of its folder.
        recipe
            .command()
            .arg("-L")
            .arg(format!("module-native-protocol-unix socket={} auth-anonymous=1", socket.display()));
        let mut child = recipe.spawn()?;
        let connected = child.ready(READY, async {
            appears(&socket).await?;
            connect(&socket).await
        });
        let connected = connected.await?;
        let monitor = child
            .ready(READY, async { join(connected, tell).await.map_err(|error| io::Error::other(error.to_string())) });
        let monitor = monitor.await?;
        // Chrome asks how late the sound is, and takes the answer, which one thread of the daemon
        // gets from the other, to be of the moment in which it is sent. Where they wait for a busy
        // processor meanwhile, Chrome's sound goes 10 ms and more off for some seconds.
        if let Err(error) = run_first(child.pid().as_raw()) {
            tracing::debug!(%error, "the Pulse daemon has no priority");
        }
        Ok(Self { child, socket, _monitor: monitor })
    }

    /// PULSE_SERVER for a child.
    pub fn environment(&self) -> (&'static str, String) {
        ("PULSE_SERVER", format!("unix:{}", self.socket.display()))
    }
}

/// The daemon's own settings (pulse-daemon.conf(5)).
fn settings() -> String {
    // Chrome plays at the daemon's rate, whatever the sink's is. And where memory is short the
    // daemon may be at work for longer than it allows itself with a priority.
    format!("default-sample-rate = {SAMPLE_RATE}\nrlimit-rttime = -1\n")
}

/// The daemon's socket is there a moment before it listens, and there is no event for that.
async fn connect(socket: &Path) -> io::Result<UnixStream> {
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    loop {
        tick.tick().await;
        match UnixStream::connect(socket) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            other => return other,
        }
    }
}
