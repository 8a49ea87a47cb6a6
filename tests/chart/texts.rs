//! What the chart says: of its values, its metrics, and the definition that it brings.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::helm::{helms, rendered};
use crate::{kind, root};

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every value that there is: it has a default, and the schema tells what it is.
#[test]
fn every_value_is_described() {
    let values: Value = serde_saphyr::from_str(&read("charts/panorec/values.yaml")).expect("YAML");
    let schema: Value = serde_json::from_str(&read("charts/panorec/values.schema.json")).expect("JSON");
    let mut seen = 0;
    described("", &schema, Some(&values), &mut seen);
    assert!(seen > 120, "{seen}");
    known("", &values, &schema);
}

fn described(path: &str, schema: &Value, values: Option<&Value>, seen: &mut usize) {
    let text = schema["description"].as_str().unwrap_or_default();
    assert!(text.ends_with('.') && text.len() > 8, "{path} is not described");
    *seen += 1;
    for (key, below) in schema["properties"].as_object().unwrap_or(&Map::new()) {
        let value = values.and_then(|values| values.get(key));
        // Free form: each key of them is a Kubernetes object or one of panorec's own.
        let is_free = ["", ".gateway.defaults"].contains(&path) && (key == "global" || !path.is_empty());
        assert!(value.is_some() || is_free, "{path}.{key} has no default in values.yaml");
        if path.is_empty() || schema["additionalProperties"] == false {
            described(&format!("{path}.{key}"), below, value, seen);
        }
    }
}

fn known(path: &str, values: &Value, schema: &Value) {
    for (key, value) in values.as_object().into_iter().flatten() {
        if schema["additionalProperties"] == false {
            let below = &schema["properties"][key];
            assert!(below.is_object(), "{path}.{key} is not in the schema");
            known(&format!("{path}.{key}"), value, below);
        }
    }
}

/// Those of the gateway; the operator's are in docs/cluster.md.
const GATEWAY: &[&str] = &[
    "panorec_gateway_requests_total",
    "panorec_gateway_request_seconds",
    "panorec_gateway_tasks",
    "panorec_gateway_event_streams",
];

#[test]
fn alerts_and_dashboard_know_metrics_that_there_are() {
    let page = read("docs/cluster.md");
    let told: BTreeSet<&str> = words(&page).into_iter().chain(GATEWAY.iter().copied()).collect();
    let used = format!("{}{}", read("charts/panorec/files/alerts.yaml"), read("charts/panorec/files/dashboard.json"));
    let used: BTreeSet<&str> = words(&used).into_iter().map(|word| word.trim_end_matches("_bucket")).collect();
    assert!(used.len() > 8, "{used:?}");
    let unknown: Vec<_> = used.difference(&told).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let alerts: Value = serde_saphyr::from_str(&read("charts/panorec/files/alerts.yaml")).expect("YAML");
    for rule in alerts["groups"][0]["rules"].as_array().expect("rules") {
        let is_balanced = |open: char, close: char| {
            let text = rule["expr"].as_str().expect("an expression");
            text.matches(open).count() == text.matches(close).count()
        };
        assert!(is_balanced('(', ')') && is_balanced('{', '}') && is_balanced('[', ']'), "{rule}");
        assert!(rule["annotations"]["summary"].is_string() && rule["labels"]["severity"].is_string(), "{rule}");
    }
}

/// The names of metrics in a text.
fn words(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("panorec_operator_") || word.starts_with("panorec_gateway_")).collect()
}

#[test]
fn the_definition_stays_when_the_release_goes() {
    let Some(helm) = helms().into_iter().next() else { return };
    let objects = rendered(&helm, &root().join("tests/chart/values/plain.yaml").display().to_string());
    let mut shown =
        objects.into_iter().find(|object| kind(object) == "CustomResourceDefinition").expect("a definition");
    let annotations = shown["metadata"].as_object_mut().and_then(|metadata| metadata.remove("annotations"));
    assert_eq!(annotations, Some(json!({ "helm.sh/resource-policy": "keep" })));
    let committed: Value = serde_saphyr::from_str(&read("crds/recording.yaml")).expect("YAML");
    assert_eq!(shown, committed);
}
