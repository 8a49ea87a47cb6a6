//! `panorec gateway`: arguments, and the process.

use std::sync::Arc;

use clap::Args;
use kube::Client;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::Kubernetes;
use super::cache::Cache;
use crate::complaint::Complaint;
use crate::gateway::listen::ListenArgs;
use crate::gateway::router::{metrics_router, router};
use crate::gateway::spec::Installed;
use crate::gateway::{Gateway, Metrics};
use crate::session::exit::ExitCode;
use crate::telemetry;
use crate::terminate::Terminate;

/// The arguments of `panorec gateway`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each key of the file may name a namespace of its own: its recordings are made and seen there.

Example:
  panorec gateway --listen 0.0.0.0:8080 --keys /run/secrets/panorec/keys.json --all-namespaces \\
    --defaults '{\"s3\": {\"bucket\": \"lessons\"}}'")]
pub struct GatewayArgs {
    #[command(flatten)]
    listen: ListenArgs,
    /// Where keys that name no namespace have their Recordings [default: the gateway's own]
    #[arg(long, value_name = "NAME", env = "PANOREC_NAMESPACE")]
    namespace: Option<String>,
    /// Keys may name other namespaces, too
    #[arg(long, env = "PANOREC_ALL_NAMESPACES")]
    all_namespaces: bool,
    /// What a Start gets that it does not say, as JSON: {"s3": …, "vod": …, "intermediate": …}, each as in
    /// spec.output.destination of a Recording
    #[arg(long, value_name = "JSON", env = "PANOREC_DEFAULTS", value_parser = installed, default_value = "{}", hide_default_value = true)]
    defaults: Installed,
}

fn installed(text: &str) -> Result<Installed, serde_json::Error> {
    serde_json::from_str(text)
}

/// Serves until it is told to end.
pub(crate) async fn gateway(args: GatewayArgs) -> Result<ExitCode, Complaint> {
    telemetry::json_logs("panorec=info,kube=warn");
    let config = kube::Config::infer().await.map_err(|error| {
        Complaint::usage(format!("no cluster is known ({error}); set KUBECONFIG, or run it in a pod"))
    })?;
    let namespace = args.namespace.unwrap_or_else(|| config.default_namespace.clone());
    let client = Client::try_from(config).map_err(Complaint::internal)?;
    let listening = args.listen.bind().await?;
    let watched = (!args.all_namespaces).then_some(namespace.as_str());
    let cache = Cache::watch(&client, watched);
    let backend = Kubernetes {
        cache,
        client,
        everywhere: args.all_namespaces,
        namespace,
        installed: args.defaults,
        starting: Mutex::default(),
    };
    let end = CancellationToken::new();
    let gateway = Arc::new(Gateway {
        backend: Arc::new(backend),
        gate: listening.gate.clone(),
        prefix: listening.prefix.clone(),
        metrics: Metrics::default(),
        end: end.clone(),
    });
    tracing::info!(url = listening.url(), "listens");
    let mut terminate = Terminate::listen()?;
    let serving = listening.serve(router(gateway.clone()), metrics_router(gateway), end.clone());
    tokio::join!(serving, async {
        terminate.asked().await;
        end.cancel();
    });
    Ok(ExitCode::Done)
}
