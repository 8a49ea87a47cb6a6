//! The Recording resource: its definition, its rules, and what a spec asks of a session.

mod conditions;
mod convert;
mod definition;
mod fields;
mod page;
mod rules;
mod status;

use panorec::resource::Recording;
use serde_json::{Value, json};

/// A Recording with this spec, as the API server would store it: with its defaults.
pub fn recording(spec: Value) -> Recording {
    let object = json!({
        "apiVersion": "panorec.dev/v1alpha1",
        "kind": "Recording",
        "metadata": { "name": "lesson", "namespace": "school" },
        "spec": spec,
    });
    serde_json::from_value(object).unwrap()
}

/// The least that a spec needs, changed by setting some fields.
pub fn spec(fields: &[(&str, Value)]) -> Value {
    let mut spec = json!({ "url": fields::PAGE });
    for (path, value) in fields {
        fields::set(&mut spec, path, value.clone());
    }
    spec
}
