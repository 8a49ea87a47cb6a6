//! What ends a command: a sentence for a person and an exit code.

use std::fmt;

use crate::session::exit::ExitCode;
use crate::session::folder::FolderError;

/// A sentence that says what is wrong and what to do, and the code to end with.
#[derive(Debug)]
pub(crate) struct Complaint {
    pub(crate) code: ExitCode,
    /// A newer run has taken over: not for this process to go on.
    pub(crate) is_superseded: bool,
    sentence: String,
}

impl Complaint {
    pub(crate) fn new(code: ExitCode, sentence: impl fmt::Display) -> Complaint {
        Complaint { code, is_superseded: false, sentence: sentence.to_string() }
    }

    /// The command line asks for what cannot be.
    pub(crate) fn usage(sentence: impl fmt::Display) -> Complaint {
        Complaint::new(ExitCode::Usage, sentence)
    }

    pub(crate) fn internal(sentence: impl fmt::Display) -> Complaint {
        Complaint::new(ExitCode::Internal, sentence)
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl From<FolderError> for Complaint {
    fn from(error: FolderError) -> Complaint {
        let code = match error {
            FolderError::NoSession { .. } | FolderError::AlreadyThere { .. } | FolderError::NewerEvent { .. } => {
                ExitCode::Usage
            }
            FolderError::Superseded { .. } => ExitCode::Interrupted,
            FolderError::Io { .. } => ExitCode::Internal,
            // What stands in the folder is not what panorec wrote.
            _ => ExitCode::FinishingFailed,
        };
        Complaint { is_superseded: matches!(error, FolderError::Superseded { .. }), ..Complaint::new(code, error) }
    }
}
