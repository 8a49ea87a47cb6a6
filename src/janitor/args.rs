//! What is kept for how long: the janitor's arguments.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::decide::Retention;
use super::sweep::Mode;

/// Every flag can be given by the environment variable that its help names.
#[derive(Debug, Args)]
#[command(after_help = "\
A folder stays while something needs it: a recorder or publisher that lives, a pod of the
recording that has not ended, or a Recording that is not finished. What a deleted Recording with
the annotation panorec.dev/discard leaves counts as unfinished. Whatever is not
<namespace>/<name>/<uid> is left alone and named in a warning.

It needs to list recordings and pods. Where the cluster cannot be asked, nothing is removed and the
exit code is 1; also where a folder could not be removed.

Examples:
  panorec janitor --root /claim --namespace lessons --dry-run
  panorec janitor --root /claim --keep-finished-seconds 0")]
pub struct JanitorArgs {
    /// Where the claim is mounted
    #[arg(long, value_name = "DIR", env = "PANOREC_CLAIM_ROOT")]
    pub(super) root: PathBuf,
    /// Look at the folders of this namespace only [default: all that the claim has]
    #[arg(long, value_name = "NAME", env = "PANOREC_NAMESPACE")]
    pub(super) namespace: Option<String>,
    /// Seconds after its end that a finished recording keeps its parts; `panorec.dev/republish` needs
    /// them. Its finished file stays on the volume as long as the Recording exists, unless it was
    /// delivered elsewhere
    #[arg(long, value_name = "SECONDS", env = "PANOREC_KEEP_PARTS_SECONDS", default_value_t = 86_400)]
    keep_parts_seconds: u64,
    /// Seconds after its end that a finished recording whose Recording is deleted is kept; 0: none.
    /// Where the file was left on the volume, that file goes with it
    #[arg(long, value_name = "SECONDS", env = "PANOREC_KEEP_FINISHED_SECONDS", default_value_t = 604_800)]
    keep_finished_seconds: u64,
    /// Seconds after its last sign of life that an unfinished recording (interrupted, discarded) whose
    /// Recording is deleted is kept; 0: none
    #[arg(long, value_name = "SECONDS", env = "PANOREC_KEEP_UNFINISHED_SECONDS", default_value_t = 86_400)]
    keep_unfinished_seconds: u64,
    /// Say what would be removed, and remove nothing
    #[arg(long, env = "PANOREC_DRY_RUN")]
    dry_run: bool,
}

impl JanitorArgs {
    pub(super) fn retention(&self) -> Retention {
        Retention {
            parts: Duration::from_secs(self.keep_parts_seconds),
            finished: Duration::from_secs(self.keep_finished_seconds),
            unfinished: Duration::from_secs(self.keep_unfinished_seconds),
        }
    }

    pub(super) fn mode(&self) -> Mode {
        if self.dry_run { Mode::DryRun } else { Mode::Remove }
    }
}
