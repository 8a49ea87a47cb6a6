//! FFmpeg as a child that reads untrusted media: told the demuxer, allowed file and pipe only,
//! with nothing in its environment, and gone when we are.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use nix::sys::prctl;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::error::PublishError;
use crate::media::Tracks;
use crate::media::matroska::FeedWriter;

/// What is kept of FFmpeg's complaints.
const MAX_SAID: usize = 4 << 10;

/// A running FFmpeg that reads a stream of ours. Killed with all of its group when dropped.
pub(super) struct Ffmpeg {
    child: Child,
    said: Option<JoinHandle<Vec<u8>>>,
    doing: &'static str,
    ended: bool,
}

impl Ffmpeg {
    /// Starts FFmpeg in `folder` on the stream that is then written to the feed. `output` are the
    /// arguments after the input; names in them are relative to the folder.
    pub(super) fn start<I, S>(
        doing: &'static str,
        folder: &Path,
        output: I,
    ) -> Result<(Ffmpeg, ChildStdin), PublishError>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = Command::new("ffmpeg");
        // Without parsing, key frames are what the parts say they are: the parser also takes pictures
        // that only look like it.
        command
            .args(["-hide_banner", "-nostdin", "-nostats", "-v", "error", "-y"])
            .args(["-protocol_whitelist", "file,pipe", "-f", "matroska"])
            .args(["-fflags", "+noparse", "-copyts", "-i", "pipe:0", "-map_metadata", "-1"])
            .args(output)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        // SAFETY: prctl is async-signal-safe, and nothing is allocated.
        unsafe {
            command.pre_exec(|| prctl::set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from));
        }
        let mut child = command.spawn().map_err(PublishError::NoFfmpeg)?;
        let stdin = child.stdin.take();
        let said = child.stderr.take().map(|pipe| std::thread::spawn(|| keep_tail(pipe)));
        let ffmpeg = Ffmpeg { child, said, doing, ended: false };
        let stdin = stdin.ok_or_else(|| PublishError::NoFfmpeg(io::ErrorKind::BrokenPipe.into()))?;
        Ok((ffmpeg, stdin))
    }

    /// What it writes to `pipe:1`.
    pub(super) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits for the end, after the feed was closed.
    pub(super) fn finish(mut self) -> Result<(), PublishError> {
        // Nobody reads on: FFmpeg must not wait for that.
        drop(self.child.stdout.take());
        let status = self.child.wait().map_err(PublishError::io("wait for FFmpeg"))?;
        self.ended = true;
        let said = self.said();
        // It can end with a success although nothing more could be written.
        if said.contains("No space left on device") {
            return Err(PublishError::DiskFull);
        }
        if status.success() {
            if !said.is_empty() {
                tracing::warn!(doing = self.doing, said, "FFmpeg complained");
            }
            return Ok(());
        }
        let said = if said.is_empty() { format!("it ended with {status}") } else { said };
        Err(PublishError::Ffmpeg { doing: self.doing, said })
    }

    fn said(&mut self) -> String {
        let bytes = self.said.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim().replace('\n', "; ")
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        if !self.ended {
            // It may have ended by itself; until it is waited for, its number is not given away.
            let _ = killpg(Pid::from_raw(self.child.id() as i32), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// Feeds a whole stream to FFmpeg and waits for its end.
pub(super) fn run<I, S>(
    doing: &'static str,
    folder: &Path,
    output: I,
    tracks: &Tracks,
    feed: impl FnOnce(&mut FeedWriter<ChildStdin>) -> Result<(), FeedError>,
) -> Result<(), PublishError>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let (ffmpeg, stdin) = Ffmpeg::start(doing, folder, output)?;
    conclude(feed_all(stdin, tracks, feed), ffmpeg)
}

/// Why a feed ended early.
pub(super) enum FeedError {
    /// FFmpeg does not read on; what it says about that counts.
    Broken(io::Error),
    Ours(PublishError),
}

impl From<io::Error> for FeedError {
    fn from(error: io::Error) -> Self {
        FeedError::Broken(error)
    }
}

impl From<PublishError> for FeedError {
    fn from(error: PublishError) -> Self {
        FeedError::Ours(error)
    }
}

/// Writes a stream and closes the pipe.
pub(super) fn feed_all(
    stdin: ChildStdin,
    tracks: &Tracks,
    feed: impl FnOnce(&mut FeedWriter<ChildStdin>) -> Result<(), FeedError>,
) -> Result<(), FeedError> {
    let mut writer = FeedWriter::new(stdin, tracks)?;
    feed(&mut writer)
}

/// Takes the feed's and FFmpeg's ends together.
pub(super) fn conclude(fed: Result<(), FeedError>, ffmpeg: Ffmpeg) -> Result<(), PublishError> {
    match fed {
        Ok(()) => ffmpeg.finish(),
        Err(FeedError::Ours(error)) => Err(error),
        Err(FeedError::Broken(source)) => {
            let doing = "feed FFmpeg";
            ffmpeg.finish().and(Err(PublishError::Io { doing, source }))
        }
    }
}

/// The last bytes of a stream, read to its end.
fn keep_tail(mut pipe: impl Read) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut chunk = [0; 1024];
    while let Ok(read @ 1..) = pipe.read(&mut chunk) {
        kept.extend_from_slice(&chunk[..read]);
        let surplus = kept.len().saturating_sub(MAX_SAID);
        kept.drain(..surplus);
    }
    kept
}
