//! What the recorder is told while it runs, and what it shows of itself.

use std::path::PathBuf;

use tokio::sync::oneshot;

use crate::session::fold::{Folded, Phase};
use crate::session::intent::{Intent, IntentState};

/// An order to a running recorder.
#[derive(Debug)]
pub enum Control {
    /// The told intent, as often as one likes: only news have an effect. Who waits for it is told
    /// when the journal has it.
    Told { intent: Intent, journaled: Option<oneshot::Sender<()>> },
    /// A key on the terminal.
    Key(Key),
    /// End this run but not the recording: another run goes on with it.
    StopRun,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    State(IntentState),
    /// Pause, or resume what is paused.
    TogglePause,
    Refresh,
}

/// How the recording goes, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    pub phase: Phase,
    /// Wall clock since the session was made, in microseconds.
    pub elapsed_us: u64,
    /// Length of the video, in microseconds.
    pub recorded_us: u64,
    /// Bytes of this run's parts.
    pub bytes: u64,
    /// Pictures a second, over the last seconds.
    pub fps: f64,
    /// Pictures that the encoder had no time for.
    pub dropped: u64,
    /// Processor cores that the recording keeps busy.
    pub cores: f64,
}

impl Live {
    /// What is shown before the recorder says anything.
    pub fn before(folded: &Folded) -> Live {
        Live {
            phase: folded.phase(),
            elapsed_us: 0,
            recorded_us: folded.recorded_us(),
            bytes: 0,
            fps: 0.0,
            dropped: 0,
            cores: 0.0,
        }
    }
}

/// What ends when something of the machine's fails for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InternalFailure {
    /// The recording: nobody would start another run, and there is a person who wants the file.
    EndsRecording,
    /// The run: a new process, maybe on another machine, goes on.
    EndsRun,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The recording is over, with or without a failure: the fold tells.
    Over,
    /// It can be resumed.
    Interrupted,
    /// A newer run has taken over.
    Superseded,
}

/// The recorder could not do its work; what was recorded is in the session folder.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    #[error(transparent)]
    Folder(#[from] crate::session::folder::FolderError),
    #[error(transparent)]
    Login(#[from] super::browser::LoginError),
    #[error("cannot make the recorder's own folder: {0}")]
    Workplace(std::io::Error),
    #[error("cannot write {path}: {source}")]
    Part { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Encoder(#[from] super::encoder::EncoderError),
    #[error("no guard for the page's connections: {0}")]
    Guard(std::io::Error),
    #[error("the recorder's threads: {0}")]
    Thread(std::io::Error),
}

impl From<RecorderError> for crate::complaint::Complaint {
    fn from(error: RecorderError) -> Self {
        match error {
            RecorderError::Folder(error) => error.into(),
            RecorderError::Login(error) => Self::usage(error),
            error => Self::internal(error),
        }
    }
}
