//! `panorec recorder`: the container that records. It has no credential and no way out but the
//! page's own.

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use clap::Args;
use tokio::sync::{mpsc, watch};

use super::link;
use crate::complaint::Complaint;
use crate::egress::{EgressPolicy, Resolver};
use crate::recorder::control::{Control, Ended, InternalFailure, Live};
use crate::session::event::Failure;
use crate::session::exit::ExitCode;
use crate::session::folder::{RecorderRun, SessionDir};
use crate::session::intent::Intent;
use crate::session::request::Request;
use crate::terminate::Terminate;

/// The part is closed within this time, or it is left as it is.
const CLOSING: Duration = Duration::from_secs(10);

/// The arguments of `panorec recorder`.
#[derive(Debug, Args)]
pub struct RecorderArgs {
    /// The session folder; of it the recorder needs its own half
    #[arg(long, env = "PANOREC_SESSION", value_name = "DIR", default_value = "/session")]
    session: PathBuf,
    /// The socket at which the publisher listens
    #[arg(long, env = "PANOREC_LINK", value_name = "SOCKET", default_value = "/run/panorec/link.sock")]
    link: PathBuf,
    /// What to record, as JSON; the session keeps the first one
    #[arg(long, env = "PANOREC_REQUEST", value_name = "JSON", hide_env_values = true, value_parser = super::json::<Request>)]
    request: Request,
    /// The addresses that the page may reach, as JSON [default: public ones]
    #[arg(long, env = "PANOREC_EGRESS", value_name = "JSON", value_parser = super::json::<EgressPolicy>,
          default_value = r#"{"public":{}}"#, hide_default_value = true)]
    egress: EgressPolicy,
    /// What is wanted of the recording when it begins, as JSON
    #[arg(long, env = "PANOREC_INTENT", value_name = "JSON", value_parser = super::json::<Intent>)]
    intent: Option<Intent>,
}

/// Records until the recording is over, and then waits to be told to end: a container that ends
/// would be started again.
pub(super) async fn recorder(args: RecorderArgs) -> Result<ExitCode, Complaint> {
    let mut terminate = Terminate::listen()?;
    let session = SessionDir::open_halves(&args.session)?;
    session.write_request_once(&args.request)?;
    if !session.folded()?.is_stopped() {
        let ended = record(&session, &args, &mut terminate).await?;
        if ended == Ended::Interrupted {
            let failed = session.folded()?.failure.is_some_and(|failed| failed.failure == Failure::Internal);
            return Ok(if failed { ExitCode::Internal } else { ExitCode::Interrupted });
        }
        tracing::info!(?ended, "nothing more to record");
    }
    terminate.asked().await;
    Ok(ExitCode::Done)
}

async fn record(session: &SessionDir, args: &RecorderArgs, terminate: &mut Terminate) -> Result<Ended, Complaint> {
    let request = session.request()?;
    let run = RecorderRun::claim(session)?;
    let mut folded = run.start(session, |part, file| crate::publisher::usable_end(file, part.start_us).ok())?;
    tracing::Span::current().record("run", run.number().0);
    tracing::info!(page = %request.url, "records");
    // Later runs go on with what has been told since, which the publisher keeps.
    if folded.runs == 1 {
        run.take_in(&mut folded, args.intent.clone())?;
    }
    if folded.is_stopped() {
        return Ok(Ended::Over);
    }
    let (orders, controls) = mpsc::channel(64);
    let (live, _shown) = watch::channel(Live::before(&folded));
    let mut following = pin!(link::follow(args.link.clone(), orders.clone()));
    let egress = Resolver::new(args.egress.clone());
    let recording = crate::recorder::run(run, request, folded, controls, live, InternalFailure::EndsRun, egress);
    let mut recording = pin!(recording);
    loop {
        tokio::select! {
            ended = &mut recording => return Ok(ended?),
            () = &mut following => {}
            () = terminate.asked() => {
                tracing::info!("asked to end; the part is closed");
                stop_run(&orders);
                match tokio::time::timeout(CLOSING, &mut recording).await {
                    Ok(ended) => return Ok(ended?),
                    // Said again, it leaves the part as it is.
                    Err(_) => stop_run(&orders),
                }
            }
        }
    }
}

fn stop_run(orders: &mpsc::Sender<Control>) {
    // A full channel means that the recorder is stuck; the order would not help.
    if let Err(error) = orders.try_send(Control::StopRun) {
        tracing::warn!(%error, "the recorder takes no orders");
    }
}
