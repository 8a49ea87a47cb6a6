//! `panorec serve`: the Action API on this machine, each task a session in a data folder.
//! Called by the command line; the gateway reaches it as its backend.
//! Never: keeps a state that is not in the sessions. What is in memory is what they tell.

mod area;
mod ask;
mod attend;
mod engine;
mod files;
mod follow;
mod queue;
mod task;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use url::Url;

use area::Area;
use ask::Places;
use attend::Work;
use engine::Engine;
use queue::Queue;

use super::cli::ServeArgs;
use super::screen::Screen;
use super::signals::Signals;
use super::state_folder;
use super::work::Egress;
use crate::complaint::Complaint;
use crate::egress::Resolver;
use crate::gateway::{Gateway, Listening, Metrics, metrics_router, router};
use crate::session::exit::ExitCode;

/// How often it is looked for what is to be removed.
const LOOK: Duration = Duration::from_secs(30);

/// Serves until a signal. A second one ends it at once.
pub(super) async fn serve(args: ServeArgs, screen: &Screen) -> Result<ExitCode, Complaint> {
    let mut signals = Signals::listen()?;
    check(&args)?;
    let egress = egress(&args);
    let folder = args.data.map_or_else(|| state_folder().map(|state| state.join("serve")), Ok)?;
    let area = Area::open(&folder)?;
    let unspecified = args.listen.listen.ip().is_unspecified();
    let listening = args.listen.bind().await?;
    if unspecified && args.public_url.is_none() {
        screen.say("note: FileURLs name no host that others reach; say by --public-url where this can be reached");
    }
    let public_url = public_url(args.public_url, &listening)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let most = args.max_recordings.map_or(cores, |most| most as usize);
    let places = Places { s3: args.s3, vod: args.vod, public_url, allow_no_sandbox: args.allow_no_sandbox };
    let work = Work { queue: Queue::new(most), egress, end: CancellationToken::new(), screen: screen.clone() };
    screen.say(format_args!("listening at {}; the recordings are in {}", listening.url(), area.path().display()));
    let engine = Engine::load(area, places, work)?;
    if let Some(keep) = args.keep {
        tokio::spawn(remove_finished(engine.clone(), keep));
    }

    let end = CancellationToken::new();
    let gateway = Arc::new(Gateway {
        backend: Arc::new(engine.clone()),
        gate: listening.gate.clone(),
        prefix: listening.prefix.clone(),
        metrics: Metrics::default(),
        end: end.clone(),
    });
    let app = router(gateway.clone()).merge(files::router(engine.clone(), &gateway.prefix));
    let serving = tokio::spawn(listening.serve(app, metrics_router(gateway), end.clone()));
    signals.next().await;
    screen.say("ending: recordings go on with the next `panorec serve`");
    end.cancel();
    tokio::select! {
        _ = futures::future::join(engine.leave(), serving) => {}
        _ = signals.next() => {}
    }
    Ok(ExitCode::Done)
}

fn check(args: &ServeArgs) -> Result<(), Complaint> {
    if args.s3.s3_domain.is_some() {
        return Err(Complaint::usage("--s3-domain is for one bucket; a Start says it as Output.Cos.Domain"));
    }
    Ok(())
}

/// Those who have keys reach public addresses, and what is allowed. Without keys it is somebody's own machine.
fn egress(args: &ServeArgs) -> Egress {
    let own = [&args.s3.s3_endpoint, &args.vod.vod_endpoint, &args.vod.vod_store_endpoint];
    match args.listen.keys.is_some() || args.egress.is_given() {
        true => Egress {
            page: Resolver::new(args.egress.page_policy()),
            delivery: Resolver::new(args.egress.policy(own.into_iter().flatten())),
        },
        false => Egress::default(),
    }
}

fn public_url(given: Option<Url>, listening: &Listening) -> Result<Url, Complaint> {
    let Some(url) = given else { return Url::parse(&listening.url()).map_err(Complaint::internal) };
    match matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none() {
        true => Ok(url),
        false => Err(Complaint::usage("--public-url must be an http or https URL, as in https://record.example.com")),
    }
}

async fn remove_finished(engine: Engine, keep: Duration) {
    loop {
        let engine = engine.clone();
        let removing = tokio::task::spawn_blocking(move || engine.remove_finished(keep, Timestamp::now()));
        match removing.await {
            Ok(0) | Err(_) => {}
            Ok(removed) => tracing::info!(removed, "finished recordings were kept long enough"),
        }
        tokio::time::sleep(LOOK.min(keep)).await;
    }
}
