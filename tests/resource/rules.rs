//! The rules (CEL), evaluated here as the API server does.

use kube::core::cel::{ValidationErrors, Validator};
use panorec::resource::definition;
use serde_json::{Value, json};

use crate::fields::{self, Wrong, set};

fn schema() -> Value {
    let definition = serde_json::to_value(definition()).unwrap();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

fn object(spec: Value) -> Value {
    json!({ "metadata": { "name": "lesson" }, "spec": spec })
}

fn check(spec: Value, old: Option<Value>) -> Result<(), ValidationErrors> {
    Validator::new().validate_with_defaults(&schema(), &object(spec), old.map(object).as_ref())
}

#[track_caller]
fn is_refused(row: &Wrong, result: Result<(), ValidationErrors>) {
    let said = result.expect_err(row.path).to_string();
    for part in row.says.iter().filter(|part| !part.starts_with("spec.") || part.contains(' ')) {
        assert!(said.contains(part), "{} = {}: {said:?} does not say {part:?}", row.path, row.value);
    }
}

/// The rows that a rule refuses; types and bounds are the schema's and the API server's.
fn by_a_rule(row: &Wrong) -> bool {
    const OF_THE_SCHEMA: [&str; 9] = [
        "must be of type",
        "should be",
        "Unsupported value",
        "date-time",
        "Required value",
        "at least 1 chars",
        "may not be more",
        "8192",
        "1024",
    ];
    let of_the_schema = |part: &&str| OF_THE_SCHEMA.iter().any(|of| part.contains(of));
    let a_number = |part: &&str| part.parse::<u32>().is_ok();
    !row.says.iter().any(|part| of_the_schema(part) || a_number(part))
}

#[test]
fn each_rule_refuses_what_breaks_it() {
    let rows: Vec<_> = fields::refused().into_iter().filter(by_a_rule).collect();
    assert!(rows.len() >= 14, "{}", rows.len());
    for row in rows {
        is_refused(&row, check(row.spec(), None));
    }
}

#[test]
fn what_is_fixed_cannot_be_changed() {
    for row in fields::fixed() {
        let mut old = row.beside.clone();
        set(&mut old, "url", json!(fields::PAGE));
        let mut new = row.spec();
        if row.value.is_null() {
            // An API server drops a null where none is allowed.
            new.as_object_mut().unwrap().remove(row.path);
        }
        is_refused(&row, check(new, Some(old)));
    }
}

#[test]
fn the_intent_can_be_changed() {
    for row in fields::allowed() {
        let mut old = row.beside.clone();
        set(&mut old, "url", json!(fields::PAGE));
        let result = check(row.spec(), Some(old));
        assert!(result.is_ok(), "{} = {}: {}", row.path, row.value, result.unwrap_err());
    }
}

#[test]
fn what_is_right_is_let_through() {
    let key = "00112233445566778899aAbBcCdDeEfF";
    for spec in [
        json!({ "url": "HTTPS://school.example" }),
        json!({ "url": fields::PAGE, "output": { "format": "HLS", "encryption": {
            "keyURL": "https://keys.example/1", "key": key, "iv": format!("0x{key}") } } }),
        json!({ "url": fields::PAGE, "output": { "format": "HLS", "name": "lesson 1", "encryption": {
            "keyURL": "https://keys.example/1", "keySecretRef": { "name": "key.of-lesson" } } } }),
        json!({ "url": fields::PAGE, "output": { "destination": { "volume": {} } } }),
    ] {
        check(spec.clone(), None).unwrap();
        check(spec.clone(), Some(spec)).unwrap();
    }
}
