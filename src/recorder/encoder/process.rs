//! The FFmpeg process of a part.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Stdio;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::pipe2;

use super::args::Settings;
use crate::recorder::child::{Child, ChildError, Recipe, find_program};
use crate::recorder::workplace::Workplace;

/// The largest pipe that every user may make (fs.pipe-max-size); fewer switches between writer
/// and reader, as a picture is larger than the default of 64 KiB.
const PIPE_SIZE: i32 = 1 << 20;

/// The encoder could not be started, or failed.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    #[error(transparent)]
    Child(#[from] ChildError),
    #[error("FFmpeg not found: install ffmpeg")]
    Missing,
    #[error("cannot connect with FFmpeg: {0}")]
    Io(#[from] io::Error),
}

/// A running FFmpeg and the two ends of its pipes.
pub struct Encoder {
    pub child: Child,
    pub input: File,
    pub output: File,
}

impl Encoder {
    pub fn start(workplace: &Workplace, settings: &Settings) -> Result<Self, EncoderError> {
        let program = find_program(&["ffmpeg"]).ok_or(EncoderError::Missing)?;
        let folder = workplace.folder("ffmpeg")?;
        let (stdin, input) = pipe()?;
        let (output, stdout) = pipe()?;
        let mut recipe = Recipe::new("FFmpeg", &program, &folder, workplace.identity);
        recipe.command().args(settings.arguments()).stdin(Stdio::from(stdin)).stdout(Stdio::from(stdout));
        let child = recipe.spawn()?;
        Ok(Self { child, input: input.into(), output: output.into() })
    }
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    // A smaller pipe works too.
    if let Err(error) = fcntl(&writer, FcntlArg::F_SETPIPE_SZ(PIPE_SIZE)) {
        tracing::debug!(%error, fd = writer.as_raw_fd(), "the pipe stays small");
    }
    Ok((reader, writer))
}
