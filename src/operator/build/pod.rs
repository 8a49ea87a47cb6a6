//! The pod of a recording: folder, restore, recorder, publisher, await. docs/ARCHITECTURE.md, "A recorder pod".

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, KeyToPath, LocalObjectReference,
    PersistentVolumeClaimVolumeSource, PodSecurityContext, PodSpec, PodTemplateSpec, ResourceRequirements,
    SeccompProfile, SecretVolumeSource, SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::needs::{Needs, requirements};
use super::{Kind, Order};
use crate::operator::names;
use crate::session::request::Request;

/// The container whose end is the pod's.
pub const AWAIT: &str = "await";
/// Where the publisher's control endpoint listens.
pub const CONTROL_PORT: u16 = 7262;

/// The user of every container. The image makes the same one.
const USER: i64 = 10_001;
/// Seconds beyond the recording's own limit that finishing and delivering may take.
const FINISHING_SECONDS: i64 = 2 * 3_600;

const SESSION: &str = "/session";
const LINK: &str = "/run/panorec";

/// The pod template of the recording's Job.
pub(super) fn template(order: &Order<'_>) -> PodTemplateSpec {
    let mut init = vec![folder(order)];
    if order.delivery.intermediate.is_some() {
        init.push(restore(order));
    }
    if order.kind == Kind::Record {
        init.push(recorder(order));
    }
    init.push(publisher(order));
    let settings = order.settings;
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(names::labels(order.uid, order.kind.role())),
            annotations: Some(annotations(order)),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            init_containers: Some(init),
            containers: vec![wait(order)],
            volumes: Some(volumes(order)),
            restart_policy: Some("Never".into()),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            termination_grace_period_seconds: Some(settings.grace_seconds.into()),
            // Counts from the pod's start, so not while it waits for a node.
            active_deadline_seconds: Some(deadline_seconds(order)),
            service_account_name: settings.overrides.service_account_name.clone(),
            host_users: settings.overrides.host_users,
            runtime_class_name: settings.overrides.runtime_class_name.clone(),
            priority_class_name: settings.overrides.priority_class_name.clone(),
            node_selector: settings.overrides.node_selector.clone(),
            tolerations: settings.overrides.tolerations.clone(),
            affinity: settings.overrides.affinity.clone(),
            image_pull_secrets: settings
                .overrides
                .image_pull_secrets
                .as_ref()
                .map(|names| names.iter().map(|name| LocalObjectReference { name: name.clone() }).collect()),
            security_context: Some(PodSecurityContext {
                run_as_non_root: Some(true),
                run_as_user: Some(USER),
                run_as_group: Some(USER),
                fs_group: Some(USER),
                // Each start would otherwise walk through every recording on the claim.
                fs_group_change_policy: Some("OnRootMismatch".into()),
                seccomp_profile: Some(runtime_default()),
                ..PodSecurityContext::default()
            }),
            ..PodSpec::default()
        }),
    }
}

fn annotations(order: &Order<'_>) -> BTreeMap<String, String> {
    let mut annotations = order.settings.overrides.annotations.clone().unwrap_or_default();
    // A recording that is moved loses seconds of its page.
    for (key, value) in [
        ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
        ("karpenter.sh/do-not-disrupt", "true"),
        // A web identity of the service account is for the publisher alone.
        ("eks.amazonaws.com/skip-containers", "folder,recorder,await"),
    ] {
        annotations.entry(key.into()).or_insert_with(|| value.into());
    }
    annotations.insert(names::RECORDING.into(), order.name.into());
    annotations.insert("kubectl.kubernetes.io/default-container".into(), default_container(order).into());
    annotations
}

fn default_container(order: &Order<'_>) -> &'static str {
    match order.kind {
        Kind::Record => "recorder",
        Kind::Finish | Kind::Republish(_) => "publisher",
    }
}

fn deadline_seconds(order: &Order<'_>) -> i64 {
    match order.kind {
        Kind::Record => i64::from(order.request.max_duration_seconds.get()) + FINISHING_SECONDS,
        Kind::Finish | Kind::Republish(_) => FINISHING_SECONDS,
    }
}

/// Makes the session's folder: the only container that sees the claim's root.
fn folder(order: &Order<'_>) -> Container {
    let path = names::folder(order.namespace, order.name, order.uid);
    Container {
        name: "folder".into(),
        args: Some(["folder", "--root", "/claim", "--path", &path].map(str::to_owned).to_vec()),
        volume_mounts: Some(vec![mount("claim", "/claim")]),
        resources: Some(requirements(10, 16, 64)),
        ..container(order, runtime_default())
    }
}

/// Puts back what the recording has in its bucket: an earlier pod's disk is gone.
fn restore(order: &Order<'_>) -> Container {
    let mut mounts = vec![half(order, "recorder", Access::Write), half(order, "publisher", Access::Write)];
    mounts.extend(secret_mounts(order, &["s3", "intermediate"]));
    let mut own = vec![("PANOREC_DELIVERY", json(order.delivery)), ("PANOREC_EGRESS", json(&order.settings.egress))];
    own.extend(republish(order));
    Container {
        name: "restore".into(),
        args: Some(vec!["restore".into()]),
        env: Some(env(order, &own)),
        volume_mounts: Some(mounts),
        resources: Some(requirements(25, 64, 256)),
        ..container(order, runtime_default())
    }
}

fn recorder(order: &Order<'_>) -> Container {
    let mut mounts = vec![
        half(order, "recorder", Access::Write),
        mount("link", LINK),
        mount("recorder-tmp", "/tmp"),
        mount("shm", "/dev/shm"),
    ];
    if order.secrets.login.is_some() {
        mounts.push(read_only(mount("login", "/run/secrets/panorec/login")));
    }
    let own = [
        ("PANOREC_REQUEST", json(order.request)),
        ("PANOREC_INTENT", json(order.intent)),
        ("PANOREC_EGRESS", json(&order.settings.page_egress)),
    ];
    Container {
        name: "recorder".into(),
        args: Some(vec!["recorder".into()]),
        restart_policy: Some("Always".into()),
        env: Some(env(order, &own)),
        volume_mounts: Some(mounts),
        resources: Some(Needs::of(order.request, order.settings.needs).requirements()),
        ..container(order, order.settings.seccomp.profile())
    }
}

fn publisher(order: &Order<'_>) -> Container {
    let mut mounts = vec![
        half(order, "recorder", Access::Read),
        half(order, "publisher", Access::Write),
        mount("link", LINK),
        mount("publisher-tmp", "/tmp"),
    ];
    mounts.extend(secret_mounts(order, &["hls-key", "s3", "vod", "intermediate", "callback"]));
    let mut own = vec![
        ("PANOREC_DELIVERY", json(order.delivery)),
        ("PANOREC_LISTEN", format!("0.0.0.0:{CONTROL_PORT}")),
        ("PANOREC_TOKEN_SHA256", order.token_digest.to_owned()),
        ("PANOREC_GENERATION", order.generation.to_string()),
        ("PANOREC_EGRESS", json(&order.settings.egress)),
    ];
    if let Some(key) = order.secrets.hls_key_text {
        own.push(("PANOREC_HLS_KEY", key.to_owned()));
    }
    own.extend(republish(order));
    Container {
        name: "publisher".into(),
        args: Some(vec!["publisher".into()]),
        restart_policy: Some("Always".into()),
        env: Some(env(order, &own)),
        ports: Some(vec![ContainerPort {
            name: Some("control".into()),
            container_port: CONTROL_PORT.into(),
            ..ContainerPort::default()
        }]),
        volume_mounts: Some(mounts),
        resources: Some(requirements(25, 96, 768)),
        ..container(order, runtime_default())
    }
}

fn wait(order: &Order<'_>) -> Container {
    let mut own = vec![("PANOREC_GRACE_SECONDS", order.settings.grace_seconds.to_string())];
    own.extend(republish(order));
    Container {
        name: AWAIT.into(),
        args: Some(vec!["await".into()]),
        env: Some(env(order, &own)),
        volume_mounts: Some(vec![half(order, "recorder", Access::Read), half(order, "publisher", Access::Read)]),
        resources: Some(requirements(5, 16, 128)),
        ..container(order, runtime_default())
    }
}

/// What all containers have.
fn container(order: &Order<'_>, seccomp: SeccompProfile) -> Container {
    let settings = order.settings;
    Container {
        image: Some(settings.image.clone()),
        image_pull_policy: settings.image_pull_policy.clone(),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".into()]), add: None }),
            seccomp_profile: Some(seccomp),
            ..SecurityContext::default()
        }),
        resources: Some(ResourceRequirements::default()),
        ..Container::default()
    }
}

fn env(order: &Order<'_>, own: &[(&str, String)]) -> Vec<EnvVar> {
    let common = [
        ("PANOREC_SESSION", SESSION.to_owned()),
        ("PANOREC_LINK", format!("{LINK}/link.sock")),
        ("PANOREC_LOG", order.settings.pod_log.clone()),
        ("PANOREC_RECORDING", format!("{}/{}", order.namespace, order.name)),
        ("HOME", "/tmp".to_owned()),
        ("TMPDIR", "/tmp".to_owned()),
    ];
    common
        .iter()
        .chain(own)
        .map(|(name, value)| EnvVar { name: (*name).into(), value: Some(value.clone()), value_from: None })
        .collect()
}

fn republish(order: &Order<'_>) -> Option<(&'static str, String)> {
    match order.kind {
        Kind::Republish(value) => Some(("PANOREC_REPUBLISH", value.to_owned())),
        Kind::Record | Kind::Finish => None,
    }
}

/// A document as the container reads it. The documents have no maps with keys other than text, so
/// they always serialize.
fn json(document: &impl serde::Serialize) -> String {
    serde_json::to_string(document).unwrap_or_default()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// One half of the session.
fn half(order: &Order<'_>, half: &str, access: Access) -> VolumeMount {
    let folder = names::folder(order.namespace, order.name, order.uid);
    VolumeMount {
        sub_path: Some(format!("{folder}/{half}")),
        read_only: Some(access == Access::Read),
        ..mount("claim", &format!("{SESSION}/{half}"))
    }
}

fn mount(volume: &str, path: &str) -> VolumeMount {
    VolumeMount { name: volume.into(), mount_path: path.into(), ..VolumeMount::default() }
}

fn read_only(mount: VolumeMount) -> VolumeMount {
    VolumeMount { read_only: Some(true), ..mount }
}

fn volumes(order: &Order<'_>) -> Vec<Volume> {
    let claim = Volume {
        name: "claim".into(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: order.settings.claim.clone(),
            read_only: None,
        }),
        ..Volume::default()
    };
    // What is kept in a bucket needs no shared volume.
    let is_kept = order.delivery.intermediate.is_some();
    let mut volumes = vec![
        if is_kept { empty_dir("claim", None, &format!("{}Mi", largest_session_mib(order.request))) } else { claim },
        empty_dir("link", Some("Memory"), "1Mi"),
        empty_dir("publisher-tmp", None, "256Mi"),
    ];
    if order.kind == Kind::Record {
        // Chrome's profile and cache; its shared memory counts against the container's own.
        volumes.push(empty_dir("recorder-tmp", None, "4Gi"));
        volumes.push(empty_dir("shm", Some("Memory"), "1Gi"));
        if let Some(secret) = order.secrets.login {
            volumes.push(secret_volume("login", secret, "panorec-login.json"));
        }
    }
    let of_publisher = publisher_secrets(order).into_iter();
    volumes.extend(of_publisher.filter_map(|(volume, secret, key)| Some(secret_volume(volume, secret?, key))));
    volumes
}

/// The Secrets of the publisher: the volume, the Secret, the key.
fn publisher_secrets<'a>(order: &Order<'a>) -> [(&'static str, Option<&'a str>, &'static str); 5] {
    let secrets = &order.secrets;
    [
        ("hls-key", secrets.hls_key, "panorec-hls.key"),
        ("s3", secrets.s3, "panorec-s3.json"),
        ("vod", secrets.vod, "panorec-vod.json"),
        ("intermediate", secrets.intermediate, "panorec-s3.json"),
        ("callback", secrets.callback, "panorec-callback.json"),
    ]
}

/// Mounts of those of them that there are.
fn secret_mounts(order: &Order<'_>, volumes: &[&str]) -> Vec<VolumeMount> {
    publisher_secrets(order)
        .into_iter()
        .filter(|(volume, secret, _)| secret.is_some() && volumes.contains(volume))
        .map(|(volume, ..)| {
            let folder = volume.strip_suffix("-key").unwrap_or(volume);
            read_only(mount(volume, &format!("/run/secrets/panorec/{folder}")))
        })
        .collect()
}

/// What a session takes at most: its parts, and once more as much where the video has to be made of them at the end.
fn largest_session_mib(request: &Request) -> u64 {
    let kbps = u64::from(request.max_bitrate_kbps.get()) + u64::from(request.audio_bitrate_kbps.get());
    let parts_mib = (u64::from(request.max_duration_seconds.get()) * kbps * 125) >> 20;
    2 * parts_mib + 1_024
}

fn empty_dir(name: &str, medium: Option<&str>, limit: &str) -> Volume {
    Volume {
        name: name.into(),
        empty_dir: Some(EmptyDirVolumeSource {
            medium: medium.map(str::to_owned),
            size_limit: Some(Quantity(limit.into())),
        }),
        ..Volume::default()
    }
}

/// One item of a Secret, by its fixed key name: no other Secret of the namespace fits.
fn secret_volume(volume: &str, secret: &str, key: &str) -> Volume {
    Volume {
        name: volume.into(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret.into()),
            items: Some(vec![KeyToPath { key: key.into(), path: key.into(), mode: Some(0o440) }]),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}

fn runtime_default() -> SeccompProfile {
    SeccompProfile { type_: "RuntimeDefault".into(), localhost_profile: None }
}
