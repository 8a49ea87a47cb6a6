//! The containers of a recorder pod: the folder, what is put back into it, the recorder, the publisher, and what
//! awaits them.
//! Called by cli; each runs in a process of its own and sees of the session what its mounts show.
//! Never: knows the Kubernetes API, or keeps state outside the session folder.

mod await_result;
mod control;
mod folder;
pub(crate) mod init;
mod link;
mod publisher;
mod recorder;
mod restore;

use clap::Subcommand;
use tracing::Instrument;
use tracing::field::Empty;

pub use await_result::AwaitArgs;
pub use folder::FolderArgs;
pub use publisher::PublisherArgs;
pub use recorder::RecorderArgs;
pub use restore::RestoreArgs;

use crate::complaint::Complaint;
use crate::session::exit::ExitCode;
use crate::telemetry;

/// What a pod's containers run.
#[derive(Debug, Subcommand)]
pub enum PodCommand {
    /// Make the folders of a session in a claim
    #[command(hide = true)]
    Folder(FolderArgs),
    /// Put back in a pod what a recording has in its bucket
    #[command(hide = true)]
    Restore(Box<RestoreArgs>),
    /// Record in a pod: the container that has Chrome, and nothing else
    Recorder(Box<RecorderArgs>),
    /// Publish in a pod: finish and deliver what the recorder leaves, and answer the operator
    Publisher(Box<PublisherArgs>),
    /// Wait in a pod for the result of the recording, and end with its exit code
    Await(AwaitArgs),
}

/// A value of an argument or of the environment that is JSON.
fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text)
}

/// Runs the command to its end.
pub(crate) async fn run(command: PodCommand) -> Result<ExitCode, Complaint> {
    telemetry::json_logs("panorec=info");
    // In each line of the log; the run and the phase as soon as they are known.
    let recording = std::env::var("PANOREC_RECORDING").unwrap_or_default();
    let span = tracing::info_span!("pod", recording, run = Empty, phase = Empty);
    let work = async {
        let ended = match command {
            PodCommand::Folder(args) => folder::folder(&args),
            PodCommand::Restore(args) => restore::restore(*args).await,
            PodCommand::Recorder(args) => recorder::recorder(*args).await,
            PodCommand::Publisher(args) => publisher::publisher(*args).await,
            PodCommand::Await(args) => await_result::await_result(args).await,
        };
        match &ended {
            Ok(code) => tracing::info!(code = *code as u8, "ends"),
            Err(complaint) => tracing::error!(code = complaint.code as u8, %complaint, "fails"),
        }
        ended
    };
    work.instrument(span).await
}
