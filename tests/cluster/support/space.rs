//! A namespace of one test, with the claim that recordings need.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cluster::{apply, get, given, kubectl, kubectl_may_fail};
use super::recording::Watched;
use super::wait;

/// A namespace under Pod Security `restricted`; removed when dropped.
pub struct Space {
    pub name: String,
    folder: PathBuf,
}

impl Space {
    pub fn new(test: &str) -> Space {
        let name = format!("{test}-{:06x}", rand());
        let folder = Path::new(&given("PANOREC_TEST_VOLUMES")).join(&name);
        std::fs::create_dir_all(&folder).expect("the volume's folder");
        std::os::unix::fs::chown(&folder, Some(10_001), Some(10_001)).expect("the volume's owner");
        let volume = json!({ "apiVersion": "v1", "kind": "List", "items": [
            { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": {
                "pod-security.kubernetes.io/enforce": "restricted", "panorec.dev/test": "true" } } },
            { "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": name, "labels": { "panorec.dev/test": "true" } },
              "spec": { "capacity": { "storage": "10Gi" }, "accessModes": ["ReadWriteMany"],
                "storageClassName": "", "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": { "namespace": name, "name": "panorec" }, "hostPath": { "path": folder } } },
            { "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "panorec", "namespace": name },
              "spec": { "accessModes": ["ReadWriteMany"], "storageClassName": "", "volumeName": name,
                "resources": { "requests": { "storage": "10Gi" } } } }
        ] });
        apply(&volume).expect("namespace and claim");
        let space = Space { name, folder };
        wait("the claim to be bound", Duration::from_secs(30), || {
            let claim = get(&["pvc", "panorec", "-n", &space.name]);
            (claim["status"]["phase"] == "Bound").then_some(())
        });
        space
    }

    /// A Recording; `spec` beyond the URL.
    pub fn recording(&self, name: &str, url: &str, spec: Value) -> Value {
        let mut all = json!({ "url": url });
        for (key, value) in spec.as_object().into_iter().flatten() {
            all[key] = value.clone();
        }
        json!({ "apiVersion": "panorec.dev/v1alpha1", "kind": "Recording",
            "metadata": { "name": name, "namespace": self.name }, "spec": all })
    }

    /// Applies a Recording and watches it from its beginning.
    pub fn record(&self, name: &str, url: &str, spec: Value) -> Watched {
        let watched = Watched::new(self, name);
        apply(&self.recording(name, url, spec)).unwrap_or_else(|said| panic!("{name}: {said}"));
        watched
    }

    /// What kubectl says of objects in this namespace.
    pub fn get(&self, kind: &str) -> Vec<Value> {
        get(&[kind, "-n", &self.name])["items"].as_array().cloned().unwrap_or_default()
    }

    pub fn kubectl(&self, args: &[&str]) -> String {
        kubectl(&[args, &["-n", &self.name]].concat())
    }

    /// The folder of the claim, as this machine sees it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!(
                "{}",
                String::from_utf8_lossy(
                    &kubectl_may_fail(&["get", "recordings,jobs,pods,pdb,events", "-n", &self.name, "-o", "wide",])
                        .stdout
                )
            );
            println!(
                "{}",
                String::from_utf8_lossy(
                    &kubectl_may_fail(&["get", "recordings", "-n", &self.name, "-o", "yaml",]).stdout
                )
            );
        }
        // Finalizers go first: the operator of this test may be gone already.
        let held = r#"jsonpath={range .items[?(@.metadata.finalizers)]}{.metadata.name}{"\n"}{end}"#;
        let names = kubectl_may_fail(&["get", "recordings", "-n", &self.name, "-o", held]);
        for name in String::from_utf8_lossy(&names.stdout).lines() {
            let patch = r#"{"metadata":{"finalizers":null}}"#;
            kubectl_may_fail(&["patch", "recordings", name, "-n", &self.name, "--type=merge", "-p", patch]);
        }
        kubectl_may_fail(&["delete", "namespace", &self.name, "--wait=false"]);
        kubectl_may_fail(&["delete", "pods", "--all", "-n", &self.name, "--grace-period=0", "--force"]);
        kubectl_may_fail(&["delete", "pv", &self.name, "--wait=false"]);
        // The cluster takes the namespace apart by itself; a container that is being killed may still write.
        let began = Instant::now();
        let keep = std::env::var_os("PANOREC_TEST_KEEP").is_some();
        while !keep && std::fs::remove_dir_all(&self.folder).is_err() && began.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn rand() -> u32 {
    let (random, ..) = uuid::Uuid::new_v4().as_fields();
    random & 0xff_ffff
}
