//! The operator as a process: elected, watching, reconciling, and ending in order.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ObjectMeta;
use kube::core::DeserializeGuard;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{self, Lookup, Store};
use kube::runtime::{Controller, WatchStreamExt, controller, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::RecordingRef;
use super::dereference::Caches;
use super::http::{self, Pages};
use super::lease::{Election, Lost};
use super::metrics::Metrics;
use super::names;
use super::queue::{Queue, Recordings};
use super::reach::Dialer;
use super::reconcile::{Context, failed, reconcile};
use super::settings::{OperatorArgs, Settings};
use super::streams::Streams;
use crate::complaint::Complaint;
use crate::resource::Recording;
use crate::session::exit::ExitCode;
use crate::telemetry;
use crate::terminate::Terminate;

/// How many recordings are looked at at once.
const CONCURRENCY: u16 = 16;
/// How long a look may take to end when the operator ends.
const DRAIN: Duration = Duration::from_secs(10);
/// How often what is remembered is compared with what is there.
const FORGET: Duration = Duration::from_secs(60);
const LEASE: &str = "panorec-operator";

/// What the pages of `http` look at.
pub struct Shared {
    identity: String,
    leading: OnceLock<Leading>,
    ready: watch::Sender<bool>,
}

/// What there is while this replica leads.
pub struct Leading {
    pub recordings: Recordings,
    pub caches: Caches,
    pub queue: Arc<Queue>,
    pub streams: Arc<Streams>,
}

impl Shared {
    pub fn identity(&self) -> &str {
        &self.identity
    }

    pub fn leading(&self) -> Option<&Leading> {
        self.leading.get()
    }

    /// Whether it does what it is there for: waits for its turn, or has its caches filled.
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }
}

/// `panorec operator`.
pub(crate) async fn operator(args: OperatorArgs) -> Result<ExitCode, Complaint> {
    let log = telemetry::json_logs("panorec=info,kube=warn");
    let settings = Settings::of(args)?;
    let config = kube::Config::infer().await.map_err(|error| {
        Complaint::usage(format!("no cluster is known ({error}); set KUBECONFIG, or run it in a pod"))
    })?;
    let home = config.default_namespace.clone();
    let client = Client::try_from(config).map_err(Complaint::internal)?;
    probe(&client, &settings).await?;

    let (metrics, registry) = Metrics::new();
    let shared = Arc::new(Shared {
        identity: settings.identity.clone(),
        leading: OnceLock::new(),
        ready: watch::channel(true).0,
    });
    let (end, ended) = watch::channel(false);
    let until_end = |mut ended: watch::Receiver<bool>| async move {
        // A sender that is gone is an end too.
        let _ = ended.wait_for(|ended| *ended).await;
    };
    let pages = Pages { shared: Arc::clone(&shared), metrics: metrics.clone(), registry, log };
    let mut pages = tokio::spawn(http::serve(settings.listen, pages, until_end(ended.clone())));
    let lease_namespace = settings.lease_namespace.clone().unwrap_or(home);
    let mut election = Election::new(client.clone(), &lease_namespace, LEASE, &settings.identity);
    let mut stop = Terminate::listen()?;

    tracing::info!(identity = settings.identity, "waits to lead");
    tokio::select! {
        () = election.won() => {}
        () = stop.asked() => return Ok(ExitCode::Done),
        served = &mut pages => return served.unwrap_or(Ok(())).map(|()| ExitCode::Done),
    }
    tracing::info!(identity = settings.identity, "leads");
    metrics.leader.set(1);
    let mut leading = tokio::spawn(lead(client, settings, Arc::clone(&shared), metrics, until_end(ended)));
    let outcome = tokio::select! {
        () = stop.asked() => Ok(ExitCode::Done),
        lost = election.lost() => {
            // Another one may write already: nothing more of this one.
            leading.abort();
            let why = match lost {
                Lost::Taken => "another replica leads",
                Lost::NotRenewed => "the lease could not be renewed in time",
            };
            return Err(Complaint::internal(format!("{why}; this one ends, to be started again")));
        }
        served = &mut pages => served.unwrap_or(Ok(())).map(|()| ExitCode::Done),
        done = &mut leading => match done {
            Ok(()) => Err(Complaint::internal("the watches ended")),
            Err(error) => Err(Complaint::internal(format!("the controller broke: {error}"))),
        },
    };
    end.send_replace(true);
    if tokio::time::timeout(DRAIN, &mut leading).await.is_err() {
        leading.abort();
    }
    election.release().await;
    tracing::info!("ends");
    outcome
}

/// Whether the cluster knows recordings at all, and this account may see them.
async fn probe(client: &Client, settings: &Settings) -> Result<(), Complaint> {
    let api: Api<Recording> = scoped(client, settings.namespace.as_deref());
    match api.list_metadata(&kube::api::ListParams::default().limit(1)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Err(Complaint::usage(
            "the cluster does not know recordings.panorec.dev; install it by: panorec crd | kubectl apply -f -",
        )),
        Err(kube::Error::Api(status)) if status.code == 403 => Err(Complaint::usage(format!(
            "this account may not list recordings: {}; bind it to the operator's role, or give --namespace",
            status.message
        ))),
        Err(error) => Err(Complaint::internal(format!("the API server cannot be asked: {error}"))),
    }
}

fn scoped<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// A cache of objects, the objects as they change, and whether the cache has been filled.
type Cached<K, S> = (Store<K>, S, watch::Receiver<bool>);

/// Managed fields are left out: they are most of an object, and of no use here.
fn cached<K>(
    api: Api<K>,
    config: watcher::Config,
) -> Cached<K, impl futures::Stream<Item = Result<K, watcher::Error>> + Send + 'static>
where
    K: Resource<DynamicType = ()>
        + Lookup<DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let (store, writer) = reflector::store();
    // The store's own way to wait wakes one of those that wait, and there are more.
    let (fill, filled) = watch::channel(false);
    let stream = watcher(api, config)
        .default_backoff()
        .modify(|object| object.meta_mut().managed_fields = None)
        .reflect(writer)
        .inspect_ok(move |event| {
            if let watcher::Event::InitDone = event {
                fill.send_replace(true);
            }
        })
        .touched_objects();
    (store, stream, filled)
}

async fn filled(mut filled: watch::Receiver<bool>) {
    // A watch that has ended is noticed by who reads it.
    let _ = filled.wait_for(|filled| *filled).await;
}

/// Reconciles until `end`.
async fn lead(
    client: Client,
    settings: Settings,
    shared: Arc<Shared>,
    metrics: Metrics,
    end: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let namespace = settings.namespace.clone();
    let ours = || watcher::Config::default().labels(&names::selector());
    let (recordings, recording_events, recordings_filled) =
        cached::<DeserializeGuard<Recording>>(scoped(&client, namespace.as_deref()), watcher::Config::default());
    let (jobs, job_events, jobs_filled) = cached::<Job>(scoped(&client, namespace.as_deref()), ours());
    let (pods, pod_events, pods_filled) = cached::<Pod>(scoped(&client, namespace.as_deref()), ours());
    let (budgets, budget_events, budgets_filled) =
        cached::<PodDisruptionBudget>(scoped(&client, namespace.as_deref()), ours());
    let (wake, woken) = mpsc::unbounded_channel();
    let dialer = match Dialer::new(client.clone(), settings.reach, settings.token_key.clone()) {
        Ok(dialer) => dialer,
        Err(error) => return tracing::error!(%error, "cannot make connections"),
    };
    let streams = Arc::new(Streams::new(dialer, wake.clone()));
    let queue = Arc::new(Queue::new(recordings.clone(), jobs.clone(), settings.limits));
    let caches = Caches { jobs: jobs.clone(), pods: pods.clone(), budgets: budgets.clone() };

    let mut tasks = JoinSet::new();
    tasks.spawn(wake_owners(job_events, wake.clone(), owner_of));
    tasks.spawn(wake_owners(budget_events, wake.clone(), owner_of));
    tasks.spawn(wake_owners(pod_events, wake.clone(), named_by_pod));
    if let Some(after) = settings.node_lost {
        let (nodes, events, _) = cached::<Node>(Api::all(client.clone()), watcher::Config::default());
        tasks.spawn(events.for_each(|_| std::future::ready(())));
        tasks.spawn(super::nodes::run(client.clone(), nodes, pods.clone(), after));
    }
    // Nothing is decided before the children are known: what is not in a cache would be made anew.
    shared.ready.send_replace(false);
    tokio::join!(filled(jobs_filled), filled(pods_filled), filled(budgets_filled));
    let reporter = Reporter { controller: names::MANAGER.into(), instance: Some(settings.identity.clone()) };
    let context = Context::new(
        client.clone(),
        settings,
        caches.clone(),
        Arc::clone(&streams),
        Arc::clone(&queue),
        Recorder::new(client, reporter),
        metrics,
    );
    let leading = Leading { recordings: recordings.clone(), caches, queue: Arc::clone(&queue), streams };
    if shared.leading.set(leading).is_err() {
        return tracing::error!("it leads already");
    }
    tasks.spawn({
        let (shared, ready) = (Arc::clone(&shared), recordings_filled.clone());
        async move {
            filled(ready).await;
            shared.ready.send_replace(true);
            queue.run(wake).await;
        }
    });
    let context = Arc::new(context);
    tasks.spawn(forget_gone(recordings.clone(), recordings_filled, Arc::clone(&context)));
    let woken = futures::stream::poll_fn({
        let mut woken = woken;
        move |cx| woken.poll_recv(cx)
    });
    Controller::for_stream(recording_events, recordings)
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .reconcile_on(woken)
        .graceful_shutdown_on(end)
        .run(reconcile, failed, context)
        .for_each(|_| std::future::ready(()))
        .await;
    tasks.shutdown().await;
}

/// Recordings that are gone without having been looked at once more are forgotten.
async fn forget_gone(recordings: Recordings, ready: watch::Receiver<bool>, context: Arc<Context>) {
    filled(ready).await;
    let mut tick = tokio::time::interval(FORGET);
    loop {
        tick.tick().await;
        let live: HashSet<String> =
            recordings.state().iter().filter_map(|recording| recording.meta().uid.clone()).collect();
        context.retain(|uid| live.contains(uid));
    }
}

/// Wakes the recording that each object belongs to; ends with the watch.
async fn wake_owners<K: Resource>(
    events: impl futures::Stream<Item = Result<K, watcher::Error>> + Send + 'static,
    wake: mpsc::UnboundedSender<RecordingRef>,
    owner: fn(&ObjectMeta) -> Option<RecordingRef>,
) {
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(object) => {
                if let Some(recording) = owner(object.meta()) {
                    let _ = wake.send(recording);
                }
            }
            // The watch goes on by itself, after a while.
            Err(error) => tracing::warn!(%error, "a watch broke"),
        }
    }
}

/// The recording that owns a child.
fn owner_of(child: &ObjectMeta) -> Option<RecordingRef> {
    let owners = child.owner_references.iter().flatten();
    let owner = owners.into_iter().find(|owner| owner.kind == "Recording")?;
    Some(RecordingRef::new(&owner.name).within(child.namespace.as_deref()?))
}

/// The recording of a pod, which its Job owns.
fn named_by_pod(pod: &ObjectMeta) -> Option<RecordingRef> {
    let name = pod.annotations.as_ref()?.get(names::RECORDING)?;
    Some(RecordingRef::new(name).within(pod.namespace.as_deref()?))
}
