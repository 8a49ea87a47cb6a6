//! What can be said to `record`, `resume`, `ctl`, `publish`, `discard` and `serve`. Help texts and bounds; no logic.

mod record;
mod s3;
mod serve;
mod vod;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::egress::EgressArgs;

pub use record::RecordArgs;
pub use s3::S3Args;
pub use serve::ServeArgs;
pub use vod::VodArgs;

#[derive(Debug, Args)]
#[command(after_help = "\
A recording is interrupted when panorec was killed, the machine went down, or Ctrl-C was pressed
twice. What is wanted of it stays as it was: a paused one stays paused until it is told otherwise.

Example:
  panorec resume ~/.local/state/panorec/5f0c1f0e-6c1c-4c53-9d1f-3a5f6f0a2a11")]
pub struct ResumeArgs {
    /// The session folder
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// Print the result as JSON on stdout
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten, next_help_heading = "As they were given to `panorec record`")]
    pub(super) egress: EgressArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Ends when the recorder has taken it in. What is said while nothing records takes effect on
`panorec resume`.

Examples:
  panorec ctl recordings/lesson pause
  panorec ctl recordings/lesson resume
  panorec ctl recordings/lesson stop")]
pub struct CtlArgs {
    /// The session folder
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// What the recording is to do
    #[arg(value_name = "WHAT")]
    pub(super) what: Word,
}

/// What can be said to a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Word {
    Pause,
    Resume,
    /// Reload the page; the recording goes on
    Refresh,
    /// End the recording and finish the file
    Stop,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  panorec publish recordings/lesson
  panorec publish recordings/lesson --from upload")]
pub struct PublishArgs {
    /// The session folder
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// The step to begin with
    #[arg(long, value_name = "STEP", value_enum, default_value_t = Step::Splice)]
    pub(super) from: Step,
    /// Print the result as JSON on stdout
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
For a recording that nobody wants any more. What of its video lies in a store, begun and not
finished, is removed there first; a store that does not let that happen keeps the folder, unless
--force says otherwise.

Example:
  panorec discard recordings/lesson")]
pub struct DiscardArgs {
    /// The session folder
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// Remove the folder also where something may be left in a store
    #[arg(long)]
    pub(super) force: bool,
}

/// A step of finishing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Step {
    /// Join the recorded parts and make the file anew
    Splice,
    /// Bring the file that was made to its place; it is made anew where it is not there any more
    Upload,
    /// Tell the callback once more
    Callback,
}
