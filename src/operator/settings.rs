//! What an installation decides: the operator's arguments.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use k8s_openapi::api::core::v1::{Affinity, SeccompProfile, Toleration};
use serde::Deserialize;

use super::build::NeedsOverride;
use super::giving::GivingArgs;
use super::token::TokenKey;
use crate::complaint::Complaint;
use crate::egress::EgressPolicy;
use crate::resource::Installation;

/// Every flag can be given by the environment variable that its help names.
#[derive(Debug, Args)]
#[command(after_help = "\
The cluster is the one of the pod it runs in, else that of KUBECONFIG. The pods of recordings mount
the claim in their own namespace.

Examples:
  panorec operator --image registry.example/panorec:1.0
  panorec operator --image registry.example/panorec:1.0 --namespace lessons --max-recordings 20")]
pub struct OperatorArgs {
    /// Look after this namespace only [default: all]
    #[arg(long, value_name = "NAME", env = "PANOREC_NAMESPACE")]
    namespace: Option<String>,
    /// The image of the recorder's pods
    #[arg(long, value_name = "IMAGE", env = "PANOREC_IMAGE")]
    image: String,
    /// When the image is pulled: Always, IfNotPresent or Never [default: Kubernetes' own]
    #[arg(long, value_name = "POLICY", env = "PANOREC_IMAGE_PULL_POLICY")]
    image_pull_policy: Option<String>,
    /// The claim that holds the sessions, in the namespace of each recording
    #[arg(long, value_name = "NAME", env = "PANOREC_CLAIM", default_value = "panorec")]
    claim: String,
    /// Chrome's seccomp profile: a file below the kubelet's folder of profiles, or `runtime-default`
    #[arg(long, value_name = "PROFILE", env = "PANOREC_SECCOMP", default_value = "panorec.json")]
    seccomp: Seccomp,
    /// Seconds that a pod has for ending; one that was told to stop finishes its file in them
    #[arg(long, value_name = "SECONDS", env = "PANOREC_GRACE_SECONDS", default_value_t = 120,
          value_parser = clap::value_parser!(u32).range(10..=3600))]
    grace_seconds: u32,
    /// What the pods log, as in PANOREC_LOG
    #[arg(long, value_name = "FILTER", env = "PANOREC_POD_LOG", default_value = "panorec=info")]
    pod_log: String,
    /// Thousandths of a core that a recorder asks for [default: by size and frame rate]
    #[arg(long, value_name = "MILLIS", env = "PANOREC_RECORDER_CPU_MILLIS")]
    recorder_cpu_millis: Option<u32>,
    /// MiB that a recorder asks for [default: by size]
    #[arg(long, value_name = "MIB", env = "PANOREC_RECORDER_MEMORY_MIB")]
    recorder_memory_mib: Option<u32>,
    /// MiB that a recorder may use [default: 1536 more than it asks for]
    #[arg(long, value_name = "MIB", env = "PANOREC_RECORDER_MEMORY_LIMIT_MIB")]
    recorder_memory_limit_mib: Option<u32>,
    /// JSON with nodeSelector, tolerations, affinity, annotations, runtimeClassName,
    /// priorityClassName, imagePullSecrets (names), serviceAccountName and hostUsers for the pods
    #[arg(long, value_name = "JSON", env = "PANOREC_POD_OVERRIDES")]
    pod_overrides: Option<String>,
    /// Recordings that may run at once in the cluster; 0: no limit
    #[arg(long, value_name = "N", env = "PANOREC_MAX_RECORDINGS", default_value_t = 0)]
    max_recordings: u32,
    /// Recordings that may run at once in one namespace; 0: no limit
    #[arg(long, value_name = "N", env = "PANOREC_MAX_RECORDINGS_PER_NAMESPACE", default_value_t = 0)]
    max_recordings_per_namespace: u32,
    /// Seconds after which the pods of a node that does not answer are replaced elsewhere; 0: never
    /// [default: 60, and 0 with --namespace, as nodes belong to no namespace]
    #[arg(long, value_name = "SECONDS", env = "PANOREC_NODE_LOST_SECONDS")]
    node_lost_seconds: Option<u64>,
    /// Seconds that a deleted recording may take to finish its file
    #[arg(long, value_name = "SECONDS", env = "PANOREC_DELETE_SECONDS", default_value_t = 600)]
    delete_seconds: u64,
    /// Seconds that a Job is kept once its result is in the recording's status
    #[arg(long, value_name = "SECONDS", env = "PANOREC_JOB_TTL_SECONDS", default_value_t = 600)]
    job_ttl_seconds: u32,
    /// How the pods are reached: at their own address, or through the API server
    /// [default: direct inside a cluster, proxy outside]
    #[arg(long, value_name = "HOW", value_enum, env = "PANOREC_REACH")]
    reach: Option<Reach>,
    /// The file with the key that the pods' tokens are derived from, the same for all replicas
    /// [default: one of this user's own, made when it is not there]
    #[arg(long, value_name = "FILE", env = "PANOREC_TOKEN_KEY_FILE")]
    token_key_file: Option<PathBuf>,
    /// Where probes, metrics and diagnostics are served
    #[arg(long, value_name = "ADDRESS", env = "PANOREC_OPERATOR_LISTEN", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// The namespace of the lease that elects the leader [default: the operator's own]
    #[arg(long, value_name = "NAME", env = "PANOREC_LEASE_NAMESPACE")]
    lease_namespace: Option<String>,
    /// This replica's name in the lease [default: the host's name and a random number]
    #[arg(long, value_name = "NAME", env = "PANOREC_IDENTITY")]
    identity: Option<String>,
    #[command(flatten)]
    giving: GivingArgs,
}

/// How the control endpoints of pods are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reach {
    Direct,
    Proxy,
}

/// The seccomp profile that Chrome's container runs under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seccomp {
    RuntimeDefault,
    /// A file below the kubelet's `seccomp` folder.
    Localhost(String),
}

impl std::str::FromStr for Seccomp {
    type Err = String;

    fn from_str(text: &str) -> Result<Seccomp, String> {
        match text {
            "runtime-default" => Ok(Seccomp::RuntimeDefault),
            "" => Err("give a profile, or `runtime-default`".into()),
            path if path.starts_with('/') || path.split('/').any(|part| part == "..") => {
                Err("the path is relative to the kubelet's `seccomp` folder and stays in it".into())
            }
            path => Ok(Seccomp::Localhost(path.to_owned())),
        }
    }
}

impl Seccomp {
    pub(super) fn profile(&self) -> SeccompProfile {
        match self {
            Seccomp::RuntimeDefault => SeccompProfile { type_: "RuntimeDefault".into(), localhost_profile: None },
            Seccomp::Localhost(path) => {
                SeccompProfile { type_: "Localhost".into(), localhost_profile: Some(path.clone()) }
            }
        }
    }
}

/// What an installation adds to the pods.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PodOverrides {
    pub node_selector: Option<BTreeMap<String, String>>,
    pub tolerations: Option<Vec<Toleration>>,
    pub affinity: Option<Affinity>,
    pub annotations: Option<BTreeMap<String, String>>,
    pub runtime_class_name: Option<String>,
    pub priority_class_name: Option<String>,
    pub image_pull_secrets: Option<Vec<String>>,
    pub service_account_name: Option<String>,
    pub host_users: Option<bool>,
}

/// What every pod of a recording is made with.
#[derive(Debug, Clone)]
pub struct PodSettings {
    pub image: String,
    pub image_pull_policy: Option<String>,
    pub claim: String,
    pub seccomp: Seccomp,
    pub grace_seconds: u32,
    pub pod_log: String,
    pub needs: NeedsOverride,
    pub overrides: PodOverrides,
    /// What the publishers may reach.
    pub egress: EgressPolicy,
    /// What the pages may reach.
    pub page_egress: EgressPolicy,
}

/// How many recordings may run at once; None: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    pub cluster: Option<u32>,
    pub namespace: Option<u32>,
}

/// The operator's settings, checked.
#[derive(Clone)]
pub struct Settings {
    pub namespace: Option<String>,
    pub installation: Installation,
    pub pod: PodSettings,
    pub limits: Limits,
    /// None: pods of lost nodes are left alone.
    pub node_lost: Option<Duration>,
    pub delete: Duration,
    pub job_ttl_seconds: u32,
    pub reach: Reach,
    pub token_key: TokenKey,
    pub listen: SocketAddr,
    pub lease_namespace: Option<String>,
    pub identity: String,
}

impl Settings {
    /// Checks what can be checked without the cluster.
    pub(super) fn of(args: OperatorArgs) -> Result<Settings, Complaint> {
        let overrides = args.pod_overrides.as_deref().filter(|text| !text.trim().is_empty());
        let overrides = overrides
            .map(serde_json::from_str)
            .transpose()
            .map_err(|error| Complaint::usage(format!("--pod-overrides is not what is expected: {error}")))?
            .unwrap_or_default();
        let in_cluster = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
        let page_egress = args.giving.page_egress();
        let (installation, egress) = args.giving.checked()?;
        let limit = |n: u32| (n > 0).then_some(n);
        Ok(Settings {
            pod: PodSettings {
                image: args.image,
                image_pull_policy: args.image_pull_policy,
                claim: args.claim,
                seccomp: args.seccomp,
                grace_seconds: args.grace_seconds,
                pod_log: args.pod_log,
                needs: NeedsOverride {
                    cpu_millis: args.recorder_cpu_millis,
                    memory_mib: args.recorder_memory_mib,
                    memory_limit_mib: args.recorder_memory_limit_mib,
                },
                overrides,
                egress,
                page_egress,
            },
            installation,
            limits: Limits { cluster: limit(args.max_recordings), namespace: limit(args.max_recordings_per_namespace) },
            node_lost: Some(args.node_lost_seconds.unwrap_or(if args.namespace.is_some() { 0 } else { 60 }))
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            delete: Duration::from_secs(args.delete_seconds),
            job_ttl_seconds: args.job_ttl_seconds,
            reach: args.reach.unwrap_or(if in_cluster { Reach::Direct } else { Reach::Proxy }),
            token_key: token_key(args.token_key_file)?,
            listen: args.listen,
            lease_namespace: args.lease_namespace.or_else(|| args.namespace.clone()),
            namespace: args.namespace,
            identity: args.identity.unwrap_or_else(identity),
        })
    }
}

/// Unique among replicas, and telling where it runs.
fn identity() -> String {
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let (random, ..) = uuid::Uuid::new_v4().as_fields();
    format!("{host}-{random:08x}")
}

/// The key in the file, or one of this user's own that is kept for the next start.
fn token_key(file: Option<PathBuf>) -> Result<TokenKey, Complaint> {
    let (file, own) = match file {
        Some(file) => (file, false),
        None => (crate::local::state_folder()?.join("operator-token.key"), true),
    };
    let shown = file.display();
    if own && !file.exists() {
        make_key(&file).map_err(|error| Complaint::usage(format!("cannot write {shown}: {error}")))?;
    }
    let bytes = std::fs::read(&file)
        .map_err(|error| Complaint::usage(format!("the token key {shown} cannot be read ({error})")))?;
    TokenKey::new(bytes.trim_ascii().to_vec()).map_err(|error| Complaint::usage(format!("{shown}: {error}")))
}

fn make_key(file: &std::path::Path) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let key = format!("{}{}\n", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(file)?.write_all(key.as_bytes())
}

#[cfg(test)]
impl PodSettings {
    pub(super) fn for_tests() -> PodSettings {
        PodSettings {
            image: "registry.example/panorec:test".into(),
            image_pull_policy: None,
            claim: "panorec".into(),
            seccomp: Seccomp::Localhost("panorec.json".into()),
            grace_seconds: 60,
            pod_log: "panorec=info".into(),
            needs: NeedsOverride::default(),
            overrides: PodOverrides::default(),
            egress: EgressPolicy::Public { allow: Vec::new(), hosts: Vec::new(), refuse: Vec::new() },
            page_egress: EgressPolicy::Open,
        }
    }
}
