//! The Helm chart: what it renders, what it refuses, and what an API server says of it.
//! Needs what tests/cluster/node/build makes; `make test-cluster` runs it.

mod accounts;
mod helm;
mod hygiene;
mod kubectl;
mod release;
#[path = "../api/server.rs"]
#[allow(dead_code)] // asked by kubectl here
mod server;
mod texts;
mod understood;
mod wrong;

use std::path::Path;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The value sets: each file of `values/`, by name.
fn value_sets() -> Vec<String> {
    let files = std::fs::read_dir(root().join("tests/chart/values")).expect("a folder");
    let mut sets: Vec<String> = files.map(|file| file.expect("a file").path().display().to_string()).collect();
    sets.sort();
    assert!(sets.len() >= 6, "{sets:?}");
    sets
}

fn kind(object: &Value) -> &str {
    object["kind"].as_str().expect("a kind")
}

fn name(object: &Value) -> String {
    format!("{} {}", kind(object), object["metadata"]["name"].as_str().expect("a name"))
}

/// The pod of whatever makes pods.
fn pod(object: &Value) -> Option<&Value> {
    match kind(object) {
        "Pod" => Some(object),
        "Deployment" | "DaemonSet" => Some(&object["spec"]["template"]),
        "CronJob" => Some(&object["spec"]["jobTemplate"]["spec"]["template"]),
        _ => None,
    }
}
