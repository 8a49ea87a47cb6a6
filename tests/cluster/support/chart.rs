//! Parts of panorec's chart, for what the tests run beside it: with the rights that users give, and no others.

use std::process::Command;

use super::cluster::{given, pages_host};

/// Templates of a release named `panorec` in this namespace, with these values.
pub fn rendered(namespace: &str, templates: &[&str], values: &[String]) -> String {
    let image = given("PANOREC_TEST_IMAGE");
    let (repository, tag) = image.rsplit_once(':').expect("a tag");
    let output = Command::new("helm")
        .args(["template", "panorec", concat!(env!("CARGO_MANIFEST_DIR"), "/charts/panorec"), "--namespace", namespace])
        .args(templates.iter().flat_map(|template| ["--show-only".to_owned(), format!("templates/{template}")]))
        .args(["--set", &format!("image.repository={repository},image.tag={tag},egress.allow={{{}}}", pages_host())])
        .args(values.iter().flat_map(|value| ["--set", value]))
        .output()
        .expect("helm starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Of one namespace: no rights elsewhere.
pub fn rendered_for(namespace: &str, templates: &[&str]) -> String {
    let narrow = ["rbac.clusterWide=false", "claim.create=false", "gateway.enabled=true", "gateway.keysSecret=unused"];
    rendered(namespace, templates, &narrow.map(str::to_owned))
}
