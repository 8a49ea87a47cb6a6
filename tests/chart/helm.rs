//! Helm 4 and Helm 3, as programs.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::root;
use crate::server::programs;

/// The oldest Kubernetes that the chart is for.
const KUBERNETES: &str = "1.33.0";
/// Where everything is installed, in these tests.
pub const NAMESPACE: &str = "panorec-system";
pub const RELEASE: &str = "panorec";

/// Each Helm, newest first; none where the programs are not there, which has been said.
pub fn helms() -> Vec<PathBuf> {
    programs().map(|folder| vec![folder.join("helm"), folder.join("helm3")]).unwrap_or_default()
}

pub fn chart() -> String {
    root().join("charts/panorec").display().to_string()
}

pub fn run(helm: &PathBuf, args: &[&str]) -> Output {
    Command::new(helm).args(args).output().unwrap_or_else(|error| panic!("{}: {error}", helm.display()))
}

/// `helm template`: what it renders, or what it says.
pub fn template(helm: &PathBuf, args: &[&str]) -> Result<String, String> {
    let own = ["template", RELEASE, &chart(), "--namespace", NAMESPACE, "--kube-version", KUBERNETES];
    let output = run(helm, &[&own, args].concat());
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).expect("text")),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// The objects of a value set.
pub fn rendered(helm: &PathBuf, values: &str) -> Vec<Value> {
    objects(&template(helm, &["--values", values]).unwrap_or_else(|said| panic!("{values}: {said}")))
}

fn objects(text: &str) -> Vec<Value> {
    let documents = text.split("\n---").map(serde_saphyr::from_str::<Value>);
    documents.map(|object| object.expect("YAML")).filter(|object| !object.is_null()).collect()
}
