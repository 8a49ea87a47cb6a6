//! What the chart says to panorec, panorec understands.

use std::process::Command;

use serde_json::Value;

use crate::helm::{helms, rendered};
use crate::{kind, name, value_sets};

/// Each Deployment's program, with its arguments and environment, gets as far as looking for a cluster.
#[test]
fn operator_and_gateway_take_their_settings() {
    let Some(helm) = helms().into_iter().next() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    for (file, text) in [
        ("token.key", "0123456789abcdef0123456789abcdef"),
        ("keys.json", r#"{"keys": [{"id": "a", "secret": "0123456789abcdef"}]}"#),
    ] {
        std::fs::write(folder.path().join(file), text).expect("written");
    }
    let here = folder.path().display().to_string();
    let mut seen = 0;
    for values in value_sets() {
        for object in rendered(&helm, &values).iter().filter(|object| kind(object) == "Deployment") {
            let container = &object["spec"]["template"]["spec"]["containers"][0];
            let texts = |list: &Value| list.as_array().cloned().unwrap_or_default();
            let placed =
                |text: &str| text.replace("/run/secrets/panorec/keys", &here).replace("/run/secrets/panorec", &here);
            let args = texts(&container["args"]).into_iter().map(|arg| placed(arg.as_str().expect("text")));
            let env = texts(&container["env"]).into_iter().map(|variable| {
                let value = variable["value"].as_str().unwrap_or("of the pod").to_owned();
                (variable["name"].as_str().expect("a name").to_owned(), value)
            });
            let output = Command::new(env!("CARGO_BIN_EXE_panorec"))
                .args(args)
                .env_clear()
                .env("HOME", &here)
                .envs(env)
                .output()
                .expect("panorec starts");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("no cluster is known"), "{values}, {}: {said}", name(object));
            seen += 1;
        }
    }
    assert!(seen >= 9, "{seen}");
}
