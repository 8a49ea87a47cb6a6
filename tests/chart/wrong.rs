//! What is refused, and in which words.

use crate::helm::{chart, helms, run, template};
use crate::value_sets;

#[test]
fn both_helms_find_nothing_to_complain_of() {
    for helm in helms() {
        for values in value_sets() {
            let output = run(&helm, &["lint", "--strict", &chart(), "--values", &values, "--kube-version", "1.33.0"]);
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && !said.contains("WARNING"), "{}, {values}: {said}", helm.display());
        }
    }
}

#[test]
fn both_helms_render_the_same() {
    let helms = helms();
    for values in value_sets() {
        let mut texts = helms.iter().map(|helm| template(helm, &["--values", &values]).expect("rendered"));
        let Some(first) = texts.next() else { return };
        assert!(texts.all(|text| sorted(&text) == sorted(&first)), "{values}");
    }
}

/// The order of objects is Helm's own.
fn sorted(text: &str) -> Vec<&str> {
    let mut documents: Vec<&str> = text.split("\n---").map(str::trim).collect();
    documents.sort_unstable();
    documents
}

/// The value, and a part of what is said: where it is, and what it may be.
const WRONG: &[(&str, &str)] = &[
    ("image.repository=", "image.repository is empty: say where panorec's image is"),
    ("image.tag=latest", "image.tag latest does not say what runs: name a version"),
    ("image.digest=abc", "'/image/digest': 'abc' does not match pattern"),
    ("image.pullPolicy=Sometimes", "'/image/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'"),
    ("operator.replicas=0", "'/operator/replicas': minimum: got 0, want 1"),
    ("operator.replicas=two", "'/operator/replicas': got string, want integer"),
    ("operatr.replicas=2", "additional properties 'operatr' not allowed"),
    ("claim.accessMode=ReadWriteOncePod", "'/claim/accessMode': value must be one of 'ReadWriteMany', 'ReadWriteOnce'"),
    ("claim.size=much", "'/claim/size': 'much' does not match pattern"),
    ("recordings.graceSeconds=5", "'/recordings/graceSeconds': minimum: got 5, want 10"),
    ("recordingNamespaces={A_B}", "'/recordingNamespaces/0': 'A_B' does not match pattern"),
    ("recordingNamespaces={a,a}", "'/recordingNamespaces': items at 0 and 1 are equal"),
    ("rbac.clusterWide=maybe", "'/rbac/clusterWide': got string, want boolean"),
    ("seccomp.delivery=Mail", "value must be one of 'DaemonSet', 'SecurityProfilesOperator', 'None'"),
    ("seccomp.profile=/etc/passwd", "'/seccomp/profile': '/etc/passwd' does not match pattern"),
    ("seccomp.profile=../escape.json", "'/seccomp/profile': '../escape.json' does not match pattern"),
    ("egress.refuse={minio.storage.svc}", "'/egress/refuse/0': 'minio.storage.svc' does not match pattern"),
    ("gateway.pathPrefix=release", "'/gateway/pathPrefix': 'release' does not match pattern"),
    ("gateway.enabled=true", "gateway.keysSecret is empty: name the Secret whose key keys.json says who may call"),
    ("gateway.enabled=true,gateway.keysSecret=k,gateway.ingress.enabled=true", "gateway.ingress.host is empty: say"),
    (
        "gateway.enabled=true,gateway.keysSecret=k,gateway.httpRoute.enabled=true",
        "parentRefs is empty: name the Gateway",
    ),
    (
        "gateway.enabled=true,gateway.keysSecret=k,gateway.allNamespaces=true,rbac.clusterWide=false",
        "gateway.allNamespaces needs rbac.clusterWide=true",
    ),
    ("rbac.clusterWide=false,recordingNamespaces={a,b}", "rbac.clusterWide=false looks after one namespace: name one"),
    ("s3.secret=s", "s3.buckets is empty: name the buckets"),
    ("s3.buckets={b}", "the store in s3 has no credentials: name their Secret by s3.secret"),
    ("s3.secret=s,s3.ambient=true,s3.buckets={b}", "two sources of the same credentials: leave one out"),
];

#[test]
fn wrong_values_are_refused_with_a_sentence() {
    for helm in helms() {
        for (value, sentence) in WRONG {
            let said = template(&helm, &["--set", "image.repository=registry.example/panorec", "--set", value]);
            let said = said.expect_err(value);
            assert!(said.contains(sentence), "{}, {value}: {said}", helm.display());
        }
    }
}

#[test]
fn an_older_kubernetes_is_refused() {
    for helm in helms() {
        let said = template(&helm, &["--set", "image.repository=registry.example/panorec", "--kube-version", "1.32.9"]);
        assert!(said.expect_err("1.32").contains("requires kubeVersion: >=1.33.0-0"), "{}", helm.display());
    }
}
