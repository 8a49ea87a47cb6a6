//! `panorec folder`: makes the place of a session in a claim that recordings share.

use std::path::PathBuf;

use clap::Args;

use crate::complaint::Complaint;
use crate::session::exit::ExitCode;
use crate::session::folder::{SessionDir, SessionPath};

/// The arguments of `panorec folder`.
#[derive(Debug, Args)]
pub struct FolderArgs {
    /// Where the claim is mounted
    #[arg(long, value_name = "DIR", default_value = "/claim")]
    root: PathBuf,
    /// Where in it the session lies: <namespace>/<name>/<uid>
    #[arg(long, value_name = "PATH")]
    path: SessionPath,
}

pub(super) fn folder(args: &FolderArgs) -> Result<ExitCode, Complaint> {
    SessionDir::prepare(&args.root, &args.path)?;
    Ok(ExitCode::Done)
}
