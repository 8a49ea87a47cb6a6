//! What every pod of the chart keeps to, in every value set.

use std::net::IpAddr;

use panorec::egress::EgressPolicy;
use serde_json::{Value, json};

use crate::helm::{helms, rendered};
use crate::{kind, name, pod, root, value_sets};

/// What is done to every object of every value set.
fn each_object(check: impl Fn(&str, &Value)) {
    let Some(helm) = helms().into_iter().next() else { return };
    for values in value_sets() {
        for object in rendered(&helm, &values) {
            check(&format!("{values}: {}", name(&object)), &object);
        }
    }
}

#[test]
fn pods_have_no_more_than_they_need() {
    each_object(|what, object| {
        let Some(pod) = pod(object) else { return };
        let spec = &pod["spec"];
        let security = &spec["securityContext"];
        // It writes into the kubelet's folder, which is root's, and nothing else is mounted of the node.
        let writes_profile = kind(object) == "DaemonSet";
        assert_eq!(security["runAsUser"] == 0, writes_profile, "{what}");
        assert_eq!(security["runAsNonRoot"] == true, !writes_profile, "{what}");
        assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault", "{what}");
        assert_eq!(spec["enableServiceLinks"], false, "{what}");
        for forbidden in ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"] {
            assert!(spec[forbidden].is_null(), "{what}: {forbidden}");
        }
        let of_node: Vec<_> =
            array(&spec["volumes"]).iter().filter_map(|volume| volume["hostPath"]["path"].as_str()).collect();
        let expected: &[&str] = if writes_profile { &["/var/lib/kubelet/seccomp"] } else { &[] };
        assert_eq!(of_node, expected, "{what}");
        assert!(spec["automountServiceAccountToken"] == false || spec["serviceAccountName"].is_string(), "{what}");
        assert!(!array(&spec["containers"]).is_empty(), "{what}");
        for container in array(&spec["containers"]) {
            let what = format!("{what}, container {}", container["name"]);
            let security = &container["securityContext"];
            assert_eq!(security["readOnlyRootFilesystem"], true, "{what}");
            assert_eq!(security["allowPrivilegeEscalation"], false, "{what}");
            assert_eq!(security["capabilities"], json!({ "drop": ["ALL"] }), "{what}");
            assert!(security["privileged"].is_null(), "{what}");
            let resources = &container["resources"];
            for figure in ["/requests/cpu", "/requests/memory", "/limits/memory"] {
                assert!(resources.pointer(figure).is_some(), "{what}: no {figure}");
            }
            assert!(is_pinned(container["image"].as_str().expect("an image")), "{what}: {}", container["image"]);
            let lasts = matches!(kind(object), "Deployment" | "DaemonSet");
            for probe in ["livenessProbe", "readinessProbe"] {
                assert_eq!(container[probe].is_object(), lasts, "{what}: {probe}");
            }
        }
    });
}

/// Whether an image says what it is.
fn is_pinned(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or(image);
    image.contains("@sha256:") || name.split_once(':').is_some_and(|(_, tag)| !tag.is_empty() && tag != "latest")
}

#[test]
fn no_account_may_read_secrets() {
    each_object(|what, object| {
        for rule in array(&object["rules"]).iter().filter(|_| kind(object).ends_with("Role")) {
            let has = |field: &str, word: &str| array(&rule[field]).iter().any(|given| given == word);
            assert!(!has("resources", "*") && !has("verbs", "*") && !has("apiGroups", "*"), "{what}: {rule}");
            let secrets = has("resources", "secrets").then(|| array(&rule["verbs"]));
            assert!(secrets.is_none_or(|verbs| *verbs == [json!("create")]), "{what}: {rule}");
        }
    });
}

/// A second operator takes over while the first one's node is drained.
#[test]
fn replicas_are_spread_and_evicted_one_by_one() {
    let Some(helm) = helms().into_iter().next() else { return };
    let objects = rendered(&helm, &root().join("tests/chart/values/everything.yaml").display().to_string());
    for component in ["operator", "gateway"] {
        let named = |object: &&Value, of: &str| {
            kind(object) == of && object["metadata"]["name"] == format!("panorec-{component}")
        };
        let find =
            |of: &str| objects.iter().find(|object| named(object, of)).unwrap_or_else(|| panic!("{of} of {component}"));
        let deployment = find("Deployment");
        let selected = &deployment["spec"]["selector"];
        assert_eq!(find("PodDisruptionBudget")["spec"], json!({ "maxUnavailable": 1, "selector": selected }));
        assert_eq!(find("Service")["spec"]["selector"], selected["matchLabels"]);
        let template = &deployment["spec"]["template"]["spec"];
        assert_eq!(template["topologySpreadConstraints"][0]["labelSelector"], *selected);
    }
}

/// The network policy and the publisher refuse the same ranges.
#[test]
fn the_network_policy_is_that_of_the_publisher() {
    let Some(helm) = helms().into_iter().next() else { return };
    let objects = rendered(&helm, &root().join("tests/chart/values/plain.yaml").display().to_string());
    let policy = objects.iter().find(|object| name(object) == "NetworkPolicy panorec-recordings").expect("a policy");
    let blocks = array(&policy["spec"]["egress"][1]["to"]);
    let network = |text: &Value| text.as_str().expect("a range").parse::<ipnet::IpNet>().expect("a range");
    let passes = |address: IpAddr| {
        blocks.iter().map(|block| &block["ipBlock"]).any(|block| {
            let but = array(&block["except"]);
            network(&block["cidr"]).contains(&address) && !but.iter().any(|range| network(range).contains(&address))
        })
    };
    let publisher = EgressPolicy::Public { allow: Vec::new(), hosts: Vec::new(), refuse: Vec::new() };
    // The first and last address of each range, and those before and after it.
    let edges = blocks.iter().flat_map(|block| array(&block["ipBlock"]["except"])).flat_map(|range| {
        let range = network(range);
        [range.network(), range.broadcast()].into_iter().flat_map(|edge| [before(edge), Some(edge), after(edge)])
    });
    let named =
        ["169.254.169.254", "100.100.100.200", "fd00:ec2::254", "::1", "fe80::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"];
    let named = named.into_iter().map(|address| address.parse().expect("an address"));
    let mut seen = 0;
    for address in edges.flatten().chain(named) {
        // What 6to4 holds the publisher judges by itself; no packet of it passes the policy.
        let is_6to4 = matches!(address, IpAddr::V6(address) if address.segments()[0] == 0x2002);
        assert!(is_6to4 || passes(address) == publisher.judge(address).is_ok(), "{address}");
        seen += 1;
    }
    assert!(seen > 80, "{seen}");
}

fn before(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => address.to_bits().checked_sub(1).map(|bits| std::net::Ipv4Addr::from_bits(bits).into()),
        IpAddr::V6(address) => address.to_bits().checked_sub(1).map(|bits| std::net::Ipv6Addr::from_bits(bits).into()),
    }
}

fn after(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => address.to_bits().checked_add(1).map(|bits| std::net::Ipv4Addr::from_bits(bits).into()),
        IpAddr::V6(address) => address.to_bits().checked_add(1).map(|bits| std::net::Ipv6Addr::from_bits(bits).into()),
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
