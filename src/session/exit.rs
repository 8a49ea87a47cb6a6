//! How panorec ends: the exit codes of the command line and of the Job's main container.

use super::event::{Failure, PublishFailure};
use super::fold::{Folded, Phase};

/// The exit codes of the contract. In a Job, `Internal` and `Interrupted` are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Done, also when the callback failed.
    Done = 0,
    Internal = 1,
    /// Bad usage, an output that cannot be written included.
    Usage = 2,
    PageNotLoaded = 3,
    NothingRecorded = 4,
    FinishingFailed = 5,
    DeliveryFailed = 6,
    NoSandbox = 7,
    /// Interrupted; the session can be resumed.
    Interrupted = 8,
    /// No startRecord() in time.
    NoStartSignal = 9,
}

impl ExitCode {
    /// All codes.
    pub const ALL: [ExitCode; 10] = [
        ExitCode::Done,
        ExitCode::Internal,
        ExitCode::Usage,
        ExitCode::PageNotLoaded,
        ExitCode::NothingRecorded,
        ExitCode::FinishingFailed,
        ExitCode::DeliveryFailed,
        ExitCode::NoSandbox,
        ExitCode::Interrupted,
        ExitCode::NoStartSignal,
    ];

    /// The code of a process of ours that ended with this number, as a container's state has it too.
    pub fn of_process(code: i32) -> ExitCode {
        ExitCode::ALL.into_iter().find(|known| *known as i32 == code).unwrap_or(ExitCode::Internal)
    }

    /// The code that a session ends with, as it stands.
    pub fn of(folded: &Folded) -> ExitCode {
        if let Some((failure, _)) = &folded.published.failure {
            return match failure {
                PublishFailure::Finishing => ExitCode::FinishingFailed,
                PublishFailure::Delivery => ExitCode::DeliveryFailed,
            };
        }
        let finished = folded.phase() == Phase::Finished;
        if finished && folded.published.videos.as_ref().is_some_and(|videos| !videos.is_empty()) {
            return ExitCode::Done;
        }
        match folded.failure.as_ref().map(|failed| failed.failure) {
            Some(Failure::PageLoad) => ExitCode::PageNotLoaded,
            Some(Failure::NoSandbox) => ExitCode::NoSandbox,
            Some(Failure::NoStartSignal) => ExitCode::NoStartSignal,
            Some(Failure::DiskFull) => ExitCode::FinishingFailed,
            Some(Failure::Internal) => ExitCode::Internal,
            None if finished => ExitCode::NothingRecorded,
            None => ExitCode::Interrupted,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        std::process::ExitCode::from(code as u8)
    }
}
