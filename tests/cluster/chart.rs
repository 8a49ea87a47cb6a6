//! The chart on a real node: installed, tested, upgraded while it records, and removed.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::basics::{condition, pages};
use crate::media::checks::Checks;
use crate::support::cluster::{apply, get, given, kubectl, kubectl_may_fail, pages_host};
use crate::support::{Space, wait};
use crate::survives::one_file_with_listed_holes;

const SECRET: &str = "Dc44ACV2Da3Gm9JVaaaaaaaaumYRI4CZfVG8Qiuv";

/// A release for the whole cluster, in a namespace of its own; both go with it.
struct Release {
    name: String,
    namespace: String,
    values: PathBuf,
    profile: PathBuf,
}

impl Release {
    /// Its namespace and values, for recordings in this space. The claim is the chart's; its volume is made by hand.
    fn new(space: &Space) -> Release {
        let name = space.name.clone();
        let namespace = format!("{name}-system");
        let volume = format!("{name}-videos");
        let keys = json!({ "keys": [{ "id": "school", "secret": SECRET }] }).to_string();
        apply(&json!({ "apiVersion": "v1", "kind": "List", "items": [
            { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } },
            { "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "callers", "namespace": namespace },
              "stringData": { "keys.json": keys } },
            { "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": volume },
              "spec": { "capacity": { "storage": "10Gi" }, "accessModes": ["ReadWriteMany"], "storageClassName": "",
                "persistentVolumeReclaimPolicy": "Retain", "hostPath": { "path": space.folder() },
                "claimRef": { "namespace": name, "name": "videos" } } }
        ] }))
        .expect("namespace, keys and volume");
        let image = given("PANOREC_TEST_IMAGE");
        let (repository, tag) = image.rsplit_once(':').expect("a tag");
        let kubelet = std::env::var("PANOREC_TEST_STATE")
            .map_or("/var/lib/kubelet".to_owned(), |state| format!("{state}/nodes/panorec-test/kubelet"));
        // One that is not there yet.
        let profile = format!("{name}/chrome.json");
        let values = json!({
            "image": { "repository": repository, "tag": tag },
            "recordingNamespaces": [name],
            "claim": { "name": "videos", "storageClass": "-", "size": "10Gi" },
            "egress": { "allow": [pages_host()] },
            "seccomp": { "kubeletRoot": kubelet, "profile": profile },
            "gateway": { "enabled": true, "keysSecret": "callers" },
        });
        let file = space.folder().join("values.json");
        std::fs::write(&file, values.to_string()).expect("written");
        Release { name, namespace, values: file, profile: Path::new(&kubelet).join("seccomp").join(profile) }
    }

    fn helm(&self, args: &[&str]) -> String {
        let output =
            Command::new("helm").args(args).args(["--namespace", &self.namespace]).output().expect("helm starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "helm {args:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The definition is there already, from whoever made the cluster.
    fn put(&self, chart: &Path, more: &[&str]) -> String {
        let (chart, values) = (chart.display().to_string(), self.values.display().to_string());
        let args = ["upgrade", "--install", &self.name, &chart, "--values", &values, "--take-ownership"];
        self.helm(&[&args[..], &["--wait", "--timeout", "180s"], more].concat())
    }

    fn prefix(&self) -> String {
        format!("{}-panorec", self.name)
    }

    /// The names of a component's pods.
    fn pods(&self, component: &str) -> Vec<String> {
        let selector = format!("app.kubernetes.io/instance={},app.kubernetes.io/component={component}", self.name);
        let pods = get(&["pods", "-n", &self.namespace, "-l", &selector]);
        let pods = pods["items"].as_array().into_iter().flatten();
        pods.filter_map(|pod| Some(pod["metadata"]["name"].as_str()?.to_owned())).collect()
    }

    fn token_key(&self) -> Value {
        get(&["secret", &format!("{}-operator-token", self.prefix()), "-n", &self.namespace])["data"]["token.key"]
            .clone()
    }

    /// Everything in the cluster that says to be of this release.
    fn left(&self) -> Vec<String> {
        let kinds = kubectl(&["api-resources", "--verbs=list", "-o", "name"]);
        let kinds: Vec<&str> = kinds.lines().filter(|kind| !kind.contains("metrics.k8s.io")).collect();
        let selector = format!("app.kubernetes.io/instance={}", self.name);
        let found = kubectl(&["get", &kinds.join(","), "-A", "-l", &selector, "-o", "name", "--ignore-not-found"]);
        found.lines().map(str::to_owned).collect()
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for args in [["get", "pods,events,jobs"], ["describe", "pods"]] {
                let said = kubectl_may_fail(&[&args[..], &["-n", &self.namespace]].concat());
                println!("{}", String::from_utf8_lossy(&said.stdout));
            }
        }
        let _ = Command::new("helm").args(["uninstall", &self.name, "--namespace", &self.namespace]).output();
        kubectl_may_fail(&["delete", "namespace", &self.namespace, "--wait=false"]);
        kubectl_may_fail(&["delete", "pv", &format!("{}-videos", self.name), "--wait=false"]);
        if let Some(folder) = self.profile.parent() {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// The chart as it was before it was last changed, where git knows one; else the one that is here.
fn last_chart(folder: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = "last=$(git rev-list -n 2 HEAD -- charts/panorec | tail -n 1) && git archive \"$last\" charts/panorec | tar -x -C \"$0\"";
    let taken = Command::new("bash").args(["-euo", "pipefail", "-c", script]).arg(folder).current_dir(root).output();
    let there = folder.join("charts/panorec");
    if taken.is_ok_and(|output| output.status.success()) && there.is_dir() {
        there
    } else {
        root.join("charts/panorec")
    }
}

/// A Service of the cluster, at a port of this machine.
struct Forward {
    child: Child,
    url: String,
    // It writes more, and would end without a reader.
    _said: BufReader<ChildStdout>,
}

impl Forward {
    fn to(namespace: &str, service: &str) -> Forward {
        let mut child = Command::new("kubectl")
            .args(["port-forward", "-n", namespace, &format!("service/{service}"), ":http"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().expect("piped"));
        said.read_line(&mut line).expect("a line");
        // Forwarding from 127.0.0.1:40123 -> 8080
        let port = line.split(':').nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_else(|| panic!("{line}"));
        let url = format!("http://127.0.0.1:{port}");
        Forward { child, url, _said: said }
    }

    /// `panorec action`, signed.
    fn action(&self, args: &[&str]) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_panorec"))
            .arg("action")
            .args(["--url", &self.url, "--key-id", "school"])
            .args(args)
            .env("PANOREC_KEY_SECRET", SECRET)
            .output()
            .expect("panorec starts");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Its operator looks after every namespace, so nobody else's is to be there.
#[test]
fn alone_a_release_is_installed_upgraded_while_it_records_and_removed() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("chart");
    let release = Release::new(&space);
    let notes = release.put(&last_chart(space.folder()), &[]);
    checks.that("notes", notes.contains(&format!("helm test {}", release.name)), &notes);
    checks.that("the profile is on the node", release.profile.is_file(), release.profile.display());
    let tested = release.helm(&["test", &release.name, "--timeout", "180s"]);
    checks.that("helm test", tested.matches("Succeeded").count() == 2, &tested);

    // Upgraded while it records: both operators are others afterwards, and what is said still arrives.
    let recording = space.record("lesson", &server.url("clock.html"), json!({ "maxDurationSeconds": 300 }));
    recording.phase("recording", 60);
    let (before, key) = (release.pods("operator"), release.token_key());
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/panorec");
    release.put(&chart, &["--set", "operator.log=panorec=debug", "--set", "gateway.log=panorec=debug"]);
    let after = release.pods("operator");
    checks.that("other operators", after.iter().any(|pod| !before.contains(pod)), format!("{before:?} {after:?}"));
    checks.that("the same key", release.token_key() == key, "of the pods' tokens");
    std::thread::sleep(Duration::from_secs(3));
    recording.tell(json!({ "state": "Paused", "revision": 1 }));
    recording.phase("paused", 30);
    // Long enough to be told from a late picture.
    std::thread::sleep(Duration::from_secs(1));
    recording.tell(json!({ "state": "Recording", "revision": 2 }));
    recording.event("resumed", 1, 30);
    std::thread::sleep(Duration::from_secs(3));
    recording.tell(json!({ "state": "Stopped", "revision": 3 }));
    let (_, finished) = recording.phase("finished", 60);
    let report = one_file_with_listed_holes(&mut checks, &recording, &finished);
    let gaps = &finished["status"]["gaps"];
    checks.that("no gap", gaps["count"] == 0, gaps);
    let jumps = report["clock"]["discontinuities"].as_array().into_iter().flatten();
    let cuts = jumps.filter(|jump| jump["clock_jump_ms"].as_f64() > Some(100.0)).count();
    checks.that("one cut, the pause", cuts == 1, &report["clock"]["discontinuities"]);
    checks.that("one run", finished["status"]["recorder"]["runs"] == 1, &finished["status"]["recorder"]);
    checks.that("sandboxed", finished["status"]["recorder"]["sandboxed"] == true, &finished["status"]["recorder"]);

    // By the gateway, whose Service is asked with a signature.
    let gateway = Forward::to(&release.namespace, &format!("{}-gateway", release.prefix()));
    let task = gateway.action(&["start", &server.url("clock.html"), "--max-duration", "12s"])["TaskID"].clone();
    let task = task.as_str().expect("a TaskID");
    let described = gateway.action(&["describe", task, "--wait", "finished", "--within", "2m"]);
    let video = &described["Result"]["Videos"][0];
    // The limit counts from the Start.
    checks.at_least("the gateway's video, in s", &video["FileDuration"], 4.0);
    drop(gateway);

    // The janitor, before its time.
    let cron = format!("cronjob/{}-janitor", release.prefix());
    space.kubectl(&["create", "job", "sweep", "--from", &cron]);
    space.kubectl(&["wait", "job/sweep", "--for=condition=Complete", "--timeout=60s"]);
    space.kubectl(&["delete", "job", "sweep"]);

    release.helm(&["uninstall", &release.name, "--wait", "--timeout", "120s"]);
    let left = wait("pods to be gone", Duration::from_secs(60), || {
        let left = release.left();
        left.iter().all(|object| !object.starts_with("pod/")).then_some(left)
    });
    checks.that("the claim alone is left", left == ["persistentvolumeclaim/videos"], format!("{left:?}"));
    let of_release = get(&["leases,secrets,configmaps,serviceaccounts", "-n", &release.namespace]);
    let names: Vec<&str> = of_release["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|object| object["metadata"]["name"].as_str())
        .collect();
    checks.that("and what was there before", names == ["callers", "kube-root-ca.crt", "default"], format!("{names:?}"));
    for name in ["lesson", task] {
        let kept = get(&["recording", name, "-n", &space.name]);
        checks.that("the Recordings are left", condition(&kept, "Succeeded")["status"] == "True", name);
    }
    checks.that("the file is left", recording.output().len() == 1, recording.session().display());
    checks.done();
}
