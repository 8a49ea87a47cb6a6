//! A release from its first day to its last, on an API server without nodes; the one with nodes is tests/cluster/chart.rs.

use crate::helm::{NAMESPACE, RELEASE, chart, helms, run};
use crate::kubectl::Kubectl;
use crate::root;

const RECORDING: &str = "examples/mp4.yaml";

#[tokio::test]
async fn both_helms_install_upgrade_and_remove_it() {
    for helm in helms() {
        let Some(kubectl) = Kubectl::start().await else { return };
        let config = kubectl.config.path().display().to_string();
        let told = |args: &[&str]| {
            let output = run(&helm, &[args, &["--namespace", NAMESPACE, "--kubeconfig", &config]].concat());
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{} {args:?}: {said}", helm.display());
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let values = ["--set", "image.repository=registry.example/panorec,recordingNamespaces={lessons,exams}"];
        let notes = told(&[&["install", RELEASE, &chart()], &values[..]].concat());
        assert!(notes.contains("helm test panorec --namespace panorec-system"), "{notes}");
        let asked = |args: &[&str]| kubectl.run(args).unwrap_or_else(|said| panic!("{args:?}: {said}"));
        let key = || asked(&["get", "secret", "panorec-operator-token", "-n", NAMESPACE, "-o", "jsonpath={.data}"]);
        let first = key();
        asked(&["apply", "-n", "lessons", "-f", &root().join(RECORDING).display().to_string()]);
        told(&["upgrade", RELEASE, &chart(), "--reset-then-reuse-values", "--set", "operator.log=panorec=debug"]);
        assert_eq!(key(), first, "pods that run know this key");
        told(&["uninstall", RELEASE]);

        // Recordings, what they are, and where their videos are.
        let kinds = asked(&["api-resources", "--verbs=list", "-o", "name"]).lines().collect::<Vec<_>>().join(",");
        let of_release = format!("app.kubernetes.io/instance={RELEASE}");
        let left = asked(&["get", &kinds, "-A", "-l", &of_release, "-o", "name", "--ignore-not-found"]);
        assert_eq!(left, "persistentvolumeclaim/panorec\npersistentvolumeclaim/panorec\n", "{}", helm.display());
        assert_eq!(asked(&["get", "recordings", "-A", "-o", "name"]), "recording.panorec.dev/mp4\n");
        let beside = asked(&["get", "secrets,leases,deployments,pods", "-n", NAMESPACE, "-o", "name"]);
        assert_eq!(beside, "", "{}", helm.display());
        // And it comes again to what is left.
        told(&[&["install", RELEASE, &chart()], &values[..]].concat());
    }
}
