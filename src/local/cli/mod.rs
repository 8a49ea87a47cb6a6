//! What can be said on the command line. Help texts and bounds; no logic.

mod record;

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(super) use record::RecordArgs;

/// Records what a web page shows and plays into one video.
#[derive(Debug, Parser)]
#[command(name = "panorec", version, max_term_width = 100, after_help = ABOUT_EXIT)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

const ABOUT_EXIT: &str = "\
Exit codes: 0 done, 1 internal error, 2 bad usage, 3 the page could not be loaded, 4 nothing
recorded, 5 finishing failed, 6 delivery failed, 7 no usable sandbox for Chrome, 8 interrupted and
resumable, 9 no start signal in time.

PANOREC_LOG says what to log to stderr, for example PANOREC_LOG=info or panorec::recorder=debug.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Record a page, and finish the file when the recording stops
    Record(Box<RecordArgs>),
    /// Go on with an interrupted recording, or finish one that was stopped
    Resume(ResumeArgs),
    /// Pause, resume, reload or stop a recording from elsewhere
    Ctl(CtlArgs),
    /// Make and deliver the file of a session once more, without recording
    Publish(PublishArgs),
    /// Print a completion script for a shell
    #[command(after_help = "\
Example:
  panorec completions bash > ~/.local/share/bash-completion/completions/panorec")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
A recording is interrupted when panorec was killed, the machine went down, or Ctrl-C was pressed
twice. What is wanted of it stays as it was: a paused one stays paused until it is told otherwise.

Example:
  panorec resume ~/.local/state/panorec/5f0c1f0e-6c1c-4c53-9d1f-3a5f6f0a2a11")]
pub(super) struct ResumeArgs {
    /// The session folder
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// Print the result as JSON on stdout
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Ends when the recorder has taken it in. What is said while nothing records takes effect on
`panorec resume`.

Examples:
  panorec ctl recordings/lesson pause
  panorec ctl recordings/lesson resume
  panorec ctl recordings/lesson stop")]
pub(super) struct CtlArgs {
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
Example:
  panorec publish recordings/lesson")]
pub(super) struct PublishArgs {
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

/// A step of finishing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Step {
    /// Join the recorded parts and make the file anew
    Splice,
}

pub(super) fn print_completions(shell: Shell) {
    let mut command = Cli::command();
    clap_complete::generate(shell, &mut command, "panorec", &mut std::io::stdout());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
