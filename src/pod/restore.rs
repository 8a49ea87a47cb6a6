//! `panorec restore`: puts back what a recording has in its bucket, before anything records or publishes.

use std::path::PathBuf;

use clap::Args;

use crate::complaint::Complaint;
use crate::egress::{EgressPolicy, Resolver};
use crate::publisher::intermediate::{self, RestoreError};
use crate::session::exit::ExitCode;
use crate::session::folder::SessionDir;
use crate::session::request::Delivery;

/// The arguments of `panorec restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The session folder
    #[arg(long, env = "PANOREC_SESSION", value_name = "DIR", default_value = "/session")]
    session: PathBuf,
    /// What to make and where it goes, as JSON
    #[arg(long, env = "PANOREC_DELIVERY", value_name = "JSON", hide_env_values = true, value_parser = super::json::<Delivery>)]
    delivery: Delivery,
    /// It is to be published again: the media are needed although there is a result
    #[arg(long, env = "PANOREC_REPUBLISH", value_name = "VALUE")]
    republish: Option<String>,
    /// The addresses that may be reached for stores and callbacks, as JSON [default: public ones]
    #[arg(long, env = "PANOREC_EGRESS", value_name = "JSON", value_parser = super::json::<EgressPolicy>,
          default_value = r#"{"public":{}}"#, hide_default_value = true)]
    egress: EgressPolicy,
}

/// Puts back what there is. A bucket that cannot be read keeps nobody from recording: a lesson that is not recorded
/// is lost for good, and what lies in the bucket is not; the publisher tells of it.
pub(super) async fn restore(args: RestoreArgs) -> Result<ExitCode, Complaint> {
    let Some(intermediate) = args.delivery.intermediate else { return Ok(ExitCode::Done) };
    let session = SessionDir::open_halves(&args.session)?;
    let (again, resolver) = (args.republish.is_some(), Resolver::new(args.egress));
    let work = move || intermediate::restore(&session, &intermediate, again, &resolver);
    match tokio::task::spawn_blocking(work).await.map_err(Complaint::internal)? {
        Ok(restored) => tracing::info!(?restored, "put back"),
        Err(RestoreError::Store(error)) => tracing::error!(%error, "the bucket cannot be read; begins anew"),
        Err(RestoreError::Session(error)) => return Err(error.into()),
    }
    Ok(ExitCode::Done)
}
