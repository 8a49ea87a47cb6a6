//! The janitor: removes session folders from a claim once nothing needs them any more.
//! Called by cli. Its steps, a file each: claim (what is there), cluster (what is known of it),
//! decide, remove. Never: removes what lives or what is no session, follows a link, or writes to
//! the cluster.

mod args;
mod claim;
mod cluster;
mod decide;
mod remove;
mod sweep;

use std::io::Write;
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;

pub use args::JanitorArgs;
pub use claim::{Claim, Scan};
pub use cluster::Cluster;
pub use decide::{Expired, Need, Retention};
pub use sweep::{Deed, Done, Mode, Swept, sweep};

use crate::complaint::Complaint;
use crate::session::exit::ExitCode;
use crate::telemetry;

/// How long the API server may take to tell all that is asked.
const ASKING: Duration = Duration::from_secs(120);

/// `panorec janitor`.
pub(crate) async fn janitor(args: JanitorArgs) -> Result<ExitCode, Complaint> {
    telemetry::json_logs("panorec=info,kube=warn");
    let claim = Claim::open(&args.root)?;
    // Before the cluster is asked: a recording is always older than its folder, so what has a folder
    // now and is not known then is gone, and not new.
    let scan = claim.scan(args.namespace.as_deref())?;
    let cluster = ask(args.namespace.as_deref()).await?;
    let mut printed = Ok(());
    let mut out = std::io::stdout().lock();
    let swept = sweep(&claim, scan, &cluster, &args.retention(), args.mode(), Timestamp::now(), &mut |path, done| {
        if printed.is_ok() {
            printed = writeln!(out, "{}: {done}", path.display());
        }
    });
    printed.and_then(|()| writeln!(out, "{swept}")).map_err(Complaint::internal)?;
    match swept.failed {
        0 => Ok(ExitCode::Done),
        n => Err(Complaint::internal(format!("{n} folders could not be looked at or removed; the log says why"))),
    }
}

async fn ask(namespace: Option<&str>) -> Result<Cluster, Complaint> {
    let nothing = |error: &dyn std::fmt::Display| {
        Complaint::internal(format!("the API server cannot be asked ({error}); nothing was removed"))
    };
    let client = Client::try_default().await.map_err(|error| nothing(&error))?;
    match tokio::time::timeout(ASKING, Cluster::ask(client, namespace)).await {
        Ok(asked) => asked.map_err(|error| nothing(&error)),
        Err(_) => Err(nothing(&"no answer in time")),
    }
}
