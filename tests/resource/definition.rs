//! The definition: committed as it is made, and fit for Kubernetes.

use std::fs;
use std::path::Path;

use panorec::resource::{Recording, definition, yaml};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_committed_definition_is_that_of_the_code() {
    let committed = fs::read_to_string(root().join("crds/recording.yaml")).unwrap();
    assert!(committed == yaml().unwrap(), "crds/recording.yaml is stale: cargo run -- crd > crds/recording.yaml");
    let of_chart = fs::read_to_string(root().join("charts/panorec/files/recording.yaml")).unwrap();
    assert!(of_chart == committed, "the chart's is stale: cp crds/recording.yaml charts/panorec/files/");
    assert!(committed.len() < 262_144, "{} bytes: kubectl apply cannot keep it in an annotation", committed.len());
}

/// Every field below has a text for `kubectl explain`, and no format that the API server warns of.
fn check_fields(path: &str, schema: &Value) {
    if let Some(format) = schema["format"].as_str() {
        assert!(["int32", "int64", "double", "date-time"].contains(&format), "{path}: {format}");
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        assert!(field["description"].as_str().is_some_and(|text| text.len() > 8), "{path} is not described");
        if path.starts_with(".spec")
            && field["type"] == "string"
            && field["enum"].is_null()
            && field["format"].is_null()
        {
            assert!(field["maxLength"].is_u64(), "{path} has no maxLength");
        }
        check_fields(&path, field);
    }
    if !schema["items"].is_null() {
        check_fields(&format!("{path}[]"), &schema["items"]);
    }
}

#[test]
fn every_field_is_described_and_bounded() {
    let definition = serde_json::to_value(definition()).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    check_fields(".spec", &schema["properties"]["spec"]);
    check_fields(".status", &schema["properties"]["status"]);
    let conditions = &schema["properties"]["status"]["properties"]["conditions"];
    assert_eq!(conditions["x-kubernetes-list-type"], "map");
    assert_eq!(conditions["x-kubernetes-list-map-keys"][0], "type");
}

#[test]
fn the_examples_can_be_read_and_followed() {
    let mut count = 0;
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let recording: Recording = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        // A field with a typing error would be missing here.
        let given: Value = serde_saphyr::from_str(&text).unwrap();
        is_within(&given, &serde_json::to_value(&recording).unwrap());
        let asked = crate::convert::ask_for(&recording.spec);
        assert!(asked.is_ok(), "{path:?}: {}", asked.unwrap_err());
        count += 1;
    }
    assert!(count >= 4);
}

#[track_caller]
fn is_within(part: &Value, whole: &Value) {
    match part {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| is_within(field, &whole[name])),
        value => assert_eq!(value, whole),
    }
}
