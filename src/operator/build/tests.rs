//! What a pod may see, and what it must not.

use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::{Kind, NeedsOverride, Order, Secrets, disruption_budget, job};
use crate::operator::settings::PodSettings;
use crate::session::intent::Intent;
use crate::session::request::{Delivery, PageUrl, Request};

const UID: &str = "3fa85f64-5717-4562-b3fc-2c963f66afa6";

fn with_order<R>(kind: Kind<'_>, check: impl FnOnce(Order<'_>) -> R) -> R {
    with_delivery(kind, &serde_json::json!("session"), check)
}

fn with_delivery<R>(kind: Kind<'_>, destination: &serde_json::Value, check: impl FnOnce(Order<'_>) -> R) -> R {
    let request = Request::new(PageUrl::parse("https://school.example/lesson").unwrap());
    let intermediate = destination.get("s3").map(|place| serde_json::json!({ "place": place }));
    let delivery: Delivery = serde_json::from_value(serde_json::json!({
        "taskId": "lesson", "format": "MP4", "destination": destination, "name": "1", "segmentSeconds": 30,
        "thumbnail": false, "contactSheet": false, "removeSession": false, "intermediate": intermediate
    }))
    .unwrap();
    let settings = PodSettings::for_tests();
    check(Order {
        namespace: "school",
        name: "lesson",
        uid: UID,
        owner: OwnerReference::default(),
        generation: 1,
        request: &request,
        delivery: &delivery,
        intent: &Intent::default(),
        secrets: Secrets {
            login: Some("login"),
            hls_key: Some("key"),
            s3: Some("store"),
            vod: Some("media"),
            intermediate: Some("raw"),
            callback: Some("hook"),
            ..Secrets::default()
        },
        kind,
        token_digest: "digest",
        queue_name: None,
        settings: &settings,
    })
}

fn pod(kind: Kind<'_>) -> PodSpec {
    with_order(kind, |order| job(&order).spec.unwrap().template.spec.unwrap())
}

fn containers(pod: &PodSpec) -> impl Iterator<Item = &Container> {
    pod.init_containers.iter().flatten().chain(&pod.containers)
}

fn named<'a>(pod: &'a PodSpec, name: &str) -> &'a Container {
    containers(pod).find(|container| container.name == name).unwrap()
}

fn mounts(container: &Container) -> Vec<(String, Option<String>, bool)> {
    container
        .volume_mounts
        .iter()
        .flatten()
        .map(|mount| (mount.mount_path.clone(), mount.sub_path.clone(), mount.read_only == Some(true)))
        .collect()
}

#[test]
fn each_container_sees_its_halves_and_no_more() {
    let pod = pod(Kind::Record);
    let half =
        |half: &str, read_only| (format!("/session/{half}"), Some(format!("school/lesson/{UID}/{half}")), read_only);
    let sessions = |name: &str| -> Vec<_> {
        mounts(named(&pod, name)).into_iter().filter(|(path, ..)| path.starts_with("/session")).collect()
    };
    assert_eq!(sessions("recorder"), [half("recorder", false)]);
    assert_eq!(sessions("publisher"), [half("recorder", true), half("publisher", false)]);
    assert_eq!(sessions("await"), [half("recorder", true), half("publisher", true)]);
    for name in ["recorder", "publisher", "await"] {
        assert!(!mounts(named(&pod, name)).iter().any(|(path, ..)| path == "/claim"), "{name}");
    }
}

#[test]
fn nothing_of_the_publisher_reaches_chrome() {
    let pod = pod(Kind::Record);
    let recorder = named(&pod, "recorder");
    let names: Vec<_> = recorder.env.iter().flatten().map(|env| env.name.as_str()).collect();
    for secret in ["PANOREC_DELIVERY", "PANOREC_TOKEN_SHA256", "PANOREC_HLS_KEY"] {
        assert!(!names.contains(&secret), "{secret}");
    }
    let egress = |name: &str| {
        let given = named(&pod, name).env.iter().flatten().find(|env| env.name == "PANOREC_EGRESS");
        given.and_then(|env| env.value.clone()).unwrap()
    };
    assert_eq!(egress("recorder"), r#""open""#, "what pages may reach, and not what publishers may");
    assert!(egress("publisher").starts_with(r#"{"public""#));
    for secret in ["hls", "s3", "vod", "callback"] {
        let mounted = |name: &str| mounts(named(&pod, name)).iter().any(|(path, ..)| path.ends_with(secret));
        assert!(mounted("publisher") && !mounted("recorder") && !mounted("await") && !mounted("folder"), "{secret}");
    }
    for (volume, key) in [("s3", "panorec-s3.json"), ("vod", "panorec-vod.json"), ("callback", "panorec-callback.json")]
    {
        let secret =
            pod.volumes.iter().flatten().find(|of| of.name == volume).and_then(|of| of.secret.clone()).unwrap();
        let keys: Vec<_> = secret.items.iter().flatten().map(|item| item.key.as_str()).collect();
        assert_eq!(keys, [key]);
    }
    assert!(!mounts(named(&pod, "publisher")).iter().any(|(path, ..)| path.contains("login")));
    assert_eq!(pod.automount_service_account_token, Some(false));
    assert_eq!(pod.enable_service_links, Some(false));
}

#[test]
fn what_is_kept_in_a_bucket_is_put_back_before_it_is_recorded_and_needs_no_claim() {
    let bucket = serde_json::json!({ "s3": { "bucket": "lessons", "credentials": "chain" } });
    let pod = with_delivery(Kind::Record, &bucket, |order| job(&order).spec.unwrap().template.spec.unwrap());
    let order: Vec<_> = pod.init_containers.iter().flatten().map(|container| container.name.as_str()).collect();
    assert_eq!(order, ["folder", "restore", "recorder", "publisher"]);
    let claim = pod.volumes.iter().flatten().find(|volume| volume.name == "claim").unwrap();
    // 6 h of 8,128 kbit/s, twice, and a GiB.
    assert_eq!(claim.empty_dir.as_ref().unwrap().size_limit.as_ref().unwrap().0, "42880Mi");
    let restore = mounts(named(&pod, "restore"));
    assert!(restore.iter().all(|(path, _, read_only)| *read_only != path.starts_with("/session")), "{restore:?}");
    let secrets = restore.iter().filter(|(path, ..)| path.starts_with("/run/secrets")).count();
    assert_eq!(secrets, 2, "of the bucket, and of the destination where it is the same: {restore:?}");
}

#[test]
fn the_pod_is_restricted_and_its_children_are_bounded() {
    let pod = pod(Kind::Record);
    for container in containers(&pod) {
        let context = container.security_context.as_ref().unwrap();
        assert_eq!(context.allow_privilege_escalation, Some(false), "{}", container.name);
        assert_eq!(context.read_only_root_filesystem, Some(true));
        assert_eq!(context.capabilities.as_ref().unwrap().drop, Some(vec!["ALL".to_owned()]));
        let limits = container.resources.as_ref().unwrap().limits.as_ref().unwrap();
        assert!(limits.contains_key("memory") && !limits.contains_key("cpu"));
    }
    for volume in pod.volumes.iter().flatten() {
        if let Some(empty) = &volume.empty_dir {
            assert!(empty.size_limit.is_some(), "{}", volume.name);
        }
    }
    let sidecars = ["recorder", "publisher"].map(|name| named(&pod, name).restart_policy.clone());
    assert_eq!(sidecars, [Some("Always".to_owned()), Some("Always".to_owned())]);
}

#[test]
fn a_pod_that_only_publishes_has_no_chrome_and_no_login() {
    let pod = pod(Kind::Republish("again"));
    assert!(!containers(&pod).any(|container| container.name == "recorder"));
    assert!(!pod.volumes.iter().flatten().any(|volume| volume.name == "login"));
    for name in ["publisher", "await"] {
        let env = named(&pod, name).env.iter().flatten().find(|env| env.name == "PANOREC_REPUBLISH").cloned();
        assert_eq!(env.unwrap().value.as_deref(), Some("again"));
    }
}

#[test]
fn only_what_another_try_can_mend_is_tried_again() {
    with_order(Kind::Record, |order| {
        let spec = job(&order).spec.unwrap();
        let rules = spec.pod_failure_policy.unwrap().rules;
        let codes = |action: &str| -> Vec<i32> {
            rules
                .iter()
                .filter(|rule| rule.action == action)
                .filter_map(|rule| rule.on_exit_codes.as_ref())
                .flat_map(|codes| {
                    assert_eq!(codes.container_name.as_deref(), Some("await"));
                    codes.values.clone()
                })
                .collect()
        };
        assert_eq!(codes("Ignore"), [8]);
        assert_eq!(codes("FailJob"), [2, 3, 4, 5, 6, 7, 9]);
        assert_eq!(spec.pod_replacement_policy.as_deref(), Some("Failed"));
        assert_eq!((spec.suspend, spec.active_deadline_seconds, spec.ttl_seconds_after_finished), (None, None, None));
        let selected = disruption_budget(&order).spec.unwrap().selector.unwrap().match_labels.unwrap();
        let labels = spec.template.metadata.unwrap().labels.unwrap();
        assert!(selected.iter().all(|(key, value)| labels.get(key) == Some(value)));
    });
}

#[test]
fn a_queue_of_kueue_reaches_the_job_and_holds_it() {
    with_order(Kind::Record, |mut order| {
        order.queue_name = Some("lessons");
        let job = job(&order);
        assert_eq!(job.metadata.labels.unwrap()["kueue.x-k8s.io/queue-name"], "lessons");
        assert_eq!(job.spec.unwrap().suspend, Some(true));
    });
}

#[test]
fn larger_pictures_need_more() {
    let needs = |width, height| {
        let mut request = Request::new(PageUrl::parse("https://school.example/").unwrap());
        request.size = crate::session::request::PictureSize::rounded_up_to_even(width, height).unwrap().size;
        super::needs::Needs::of(&request, NeedsOverride::default())
    };
    let (small, large) = (needs(640, 360), needs(1920, 1080));
    assert!(small.cpu_millis < large.cpu_millis && small.memory_mib < large.memory_mib);
    assert!(large.memory_mib < large.memory_limit_mib);
    let request = Request::new(PageUrl::parse("https://school.example/").unwrap());
    let own = NeedsOverride { cpu_millis: Some(2_000), memory_mib: Some(4_096), memory_limit_mib: Some(1_024) };
    let needs = super::needs::Needs::of(&request, own);
    assert_eq!((needs.cpu_millis, needs.memory_mib, needs.memory_limit_mib), (2_000, 4_096, 4_096));
}

/// docs/install.md shows what the sizes that people record need.
#[test]
fn the_page_tells_what_a_recording_needs() {
    let page = include_str!("../../../docs/install.md");
    for (width, height, rate) in
        [(640, 360, 24), (1280, 720, 24), (1280, 720, 30), (1280, 720, 60), (1920, 1080, 30), (2560, 1440, 30)]
    {
        let mut request = Request::new(PageUrl::parse("https://school.example/").unwrap());
        request.size = crate::session::request::PictureSize::rounded_up_to_even(width, height).unwrap().size;
        request.frame_rate = serde_json::from_value(rate.into()).unwrap();
        let needs = super::needs::Needs::of(&request, NeedsOverride::default());
        let row = format!(
            "| {width}x{height}, {rate} frames/s | {}m | {} MiB | {} MiB |",
            needs.cpu_millis, needs.memory_mib, needs.memory_limit_mib
        );
        assert!(page.contains(&row), "{row}");
    }
}
