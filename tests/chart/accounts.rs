//! What a real API server says of the objects, and of what their accounts may do.

use serde_json::{Value, json};

use crate::helm::{NAMESPACE, helms, rendered};
use crate::kubectl::Kubectl;
use crate::{kind, name, pod, root, value_sets};

#[tokio::test]
async fn a_real_api_server_takes_every_object() {
    let Some(kubectl) = Kubectl::start().await else { return };
    let helm = helms().remove(0);
    for values in value_sets() {
        let objects = rendered(&helm, &values);
        let taken = kubectl.apply(&["--dry-run=server"], &objects).unwrap_or_else(|said| panic!("{values}: {said}"));
        assert_eq!(taken.lines().count(), objects.len(), "{values}: {taken}");
        // Pod Security `restricted` judges pods, not what makes them. The one that writes the profile needs a namespace
        // where it may mount a folder of the node.
        for object in &objects {
            let Some(pod) = pod(object) else { continue };
            let metadata = json!({ "name": object["metadata"]["name"], "namespace": NAMESPACE });
            let alone = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod["spec"] });
            match (kind(object), kubectl.apply(&["--dry-run=server"], &[alone])) {
                ("DaemonSet", taken) => assert!(taken.expect_err("refused").contains("hostPath"), "{values}"),
                (_, taken) => drop(taken.unwrap_or_else(|said| panic!("{values}, {}: {said}", name(object)))),
            }
        }
    }
}

/// Who is asked about, and where.
const WIDE: &[(&str, &str, &str)] = &[
    (NAMESPACE, "panorec-operator", NAMESPACE),
    (NAMESPACE, "panorec-operator", "lessons"),
    (NAMESPACE, "panorec-operator", "elsewhere"),
    (NAMESPACE, "panorec-gateway", NAMESPACE),
    (NAMESPACE, "panorec-gateway", "lessons"),
    (NAMESPACE, "panorec-gateway", "elsewhere"),
    ("lessons", "panorec-janitor", "lessons"),
    ("lessons", "panorec-janitor", "exams"),
    ("lessons", "recorders", "lessons"),
];
const NARROW: &[(&str, &str, &str)] = &[
    (NAMESPACE, "panorec-operator", NAMESPACE),
    (NAMESPACE, "panorec-operator", "lessons"),
    (NAMESPACE, "panorec-gateway", NAMESPACE),
    (NAMESPACE, "panorec-gateway", "lessons"),
    ("lessons", "panorec-janitor", "lessons"),
    ("lessons", "panorec-recorder", "lessons"),
];

/// What each account may do is a committed list; PANOREC_TEST_WRITE=1 writes it anew.
#[tokio::test]
async fn accounts_may_do_what_is_listed_and_no_more() {
    let mut text = String::new();
    for (values, accounts) in [("everything", WIDE), ("one-namespace", NARROW)] {
        let Some(kubectl) = Kubectl::start().await else { return };
        let objects =
            rendered(&helms()[0], &root().join(format!("tests/chart/values/{values}.yaml")).display().to_string());
        let roles: Vec<Value> = objects.into_iter().filter(|object| kind(object).contains("Role")).collect();
        kubectl.apply(&[], &roles).expect("roles");
        for (home, account, asked) in accounts {
            let who = format!("system:serviceaccount:{home}:{account}");
            let listed = kubectl.run(&["auth", "can-i", "--list", "--as", &who, "-n", asked]).expect("a list");
            text += &format!("{values}: {account} of {home}, in {asked}\n{}\n", rights(&listed));
        }
    }
    let path = root().join("tests/chart/rights.txt");
    if std::env::var_os("PANOREC_TEST_WRITE").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let changed = committed.lines().zip(text.lines()).find(|(before, now)| before != now);
    assert!(committed == text, "{} is not what accounts may do, as in {changed:?}", path.display());
}

/// Resources and verbs, without what everybody may: to ask for its own rights, and for the server's version.
fn rights(listed: &str) -> String {
    let mut rows: Vec<String> = listed
        .lines()
        .skip(1)
        .filter(|line| !line.starts_with(' ') && !line.starts_with("self"))
        .map(|line| {
            let (resource, verbs) = line.split_once(' ').expect("columns");
            let verbs = verbs.rsplit_once('[').expect("verbs").1.trim_end().trim_end_matches(']');
            format!("  {resource}: {verbs}\n")
        })
        .collect();
    rows.sort();
    if rows.is_empty() { "  nothing\n".into() } else { rows.concat() }
}
