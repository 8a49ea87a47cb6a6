//! What a real API server says of the objects, and of what their accounts may do.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::helm::{NAMESPACE, helms, rendered};
use crate::server::{ApiServer, programs};
use crate::{kind, name, pod, root, value_sets};

/// kubectl as the one who may do everything.
struct Kubectl {
    program: PathBuf,
    config: tempfile::NamedTempFile,
    // It ends with this value.
    _server: ApiServer,
}

impl Kubectl {
    /// None: the programs are not there, which has been said.
    async fn start() -> Option<Kubectl> {
        let server = ApiServer::start().await?;
        let mut config = tempfile::NamedTempFile::new().expect("a file");
        config.write_all(server.kubeconfig().as_bytes()).expect("written");
        let kubectl = Kubectl { program: programs()?.join("kubectl"), config, _server: server };
        for namespace in [NAMESPACE, "lessons", "exams", "elsewhere"] {
            let labels = json!({ "pod-security.kubernetes.io/enforce": "restricted" });
            let metadata = json!({ "name": namespace, "labels": labels });
            kubectl
                .apply(&[], &[json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata })])
                .expect("made");
        }
        let others = Command::new(root().join("tests/chart/definitions")).output().expect("the script starts");
        assert!(others.status.success(), "{}", String::from_utf8_lossy(&others.stderr));
        for file in String::from_utf8_lossy(&others.stdout).lines() {
            kubectl.run(&["apply", "--server-side", "-f", file]).expect("their definitions");
        }
        kubectl.run(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).expect("established");
        Some(kubectl)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--kubeconfig").arg(self.config.path()).args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Result<String, String> {
        said(self.command(args).stdin(Stdio::null()).output().expect("kubectl starts"))
    }

    fn apply(&self, args: &[&str], objects: &[Value]) -> Result<String, String> {
        // One after the other: kubectl judges a List by itself, and knows no `null` in an enum.
        let text = objects.iter().map(|object| format!("---\n{object}\n")).collect::<String>();
        let mut child = self
            .command(&["apply", "--server-side", "-f", "-"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("kubectl reads");
        said(child.wait_with_output().expect("kubectl ends"))
    }
}

fn said(output: std::process::Output) -> Result<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[tokio::test]
async fn a_real_api_server_takes_every_object() {
    let Some(kubectl) = Kubectl::start().await else { return };
    let helm = helms().remove(0);
    for values in value_sets() {
        let objects = rendered(&helm, &values);
        let taken = kubectl.apply(&["--dry-run=server"], &objects).unwrap_or_else(|said| panic!("{values}: {said}"));
        assert_eq!(taken.lines().count(), objects.len(), "{values}: {taken}");
        // Pod Security `restricted` judges pods, not what makes them. The one that writes the profile needs a namespace
        // where it may mount a folder of the node.
        for object in &objects {
            let Some(pod) = pod(object) else { continue };
            let metadata = json!({ "name": object["metadata"]["name"], "namespace": NAMESPACE });
            let alone = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod["spec"] });
            match (kind(object), kubectl.apply(&["--dry-run=server"], &[alone])) {
                ("DaemonSet", taken) => assert!(taken.expect_err("refused").contains("hostPath"), "{values}"),
                (_, taken) => drop(taken.unwrap_or_else(|said| panic!("{values}, {}: {said}", name(object)))),
            }
        }
    }
}

/// Who is asked about, and where.
const WIDE: &[(&str, &str, &str)] = &[
    (NAMESPACE, "panorec-operator", NAMESPACE),
    (NAMESPACE, "panorec-operator", "lessons"),
    (NAMESPACE, "panorec-operator", "elsewhere"),
    (NAMESPACE, "panorec-gateway", NAMESPACE),
    (NAMESPACE, "panorec-gateway", "lessons"),
    (NAMESPACE, "panorec-gateway", "elsewhere"),
    ("lessons", "panorec-janitor", "lessons"),
    ("lessons", "panorec-janitor", "exams"),
    ("lessons", "recorders", "lessons"),
];
const NARROW: &[(&str, &str, &str)] = &[
    (NAMESPACE, "panorec-operator", NAMESPACE),
    (NAMESPACE, "panorec-operator", "lessons"),
    (NAMESPACE, "panorec-gateway", NAMESPACE),
    (NAMESPACE, "panorec-gateway", "lessons"),
    ("lessons", "panorec-janitor", "lessons"),
    ("lessons", "panorec-recorder", "lessons"),
];

/// What each account may do is a committed list; PANOREC_TEST_WRITE=1 writes it anew.
#[tokio::test]
async fn accounts_may_do_what_is_listed_and_no_more() {
    let mut text = String::new();
    for (values, accounts) in [("everything", WIDE), ("one-namespace", NARROW)] {
        let Some(kubectl) = Kubectl::start().await else { return };
        let objects =
            rendered(&helms()[0], &root().join(format!("tests/chart/values/{values}.yaml")).display().to_string());
        let roles: Vec<Value> = objects.into_iter().filter(|object| kind(object).contains("Role")).collect();
        kubectl.apply(&[], &roles).expect("roles");
        for (home, account, asked) in accounts {
            let who = format!("system:serviceaccount:{home}:{account}");
            let listed = kubectl.run(&["auth", "can-i", "--list", "--as", &who, "-n", asked]).expect("a list");
            text += &format!("{values}: {account} of {home}, in {asked}\n{}\n", rights(&listed));
        }
    }
    let path = root().join("tests/chart/rights.txt");
    if std::env::var_os("PANOREC_TEST_WRITE").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let changed = committed.lines().zip(text.lines()).find(|(before, now)| before != now);
    assert!(committed == text, "{} is not what accounts may do, as in {changed:?}", path.display());
}

/// Resources and verbs, without what everybody may: to ask for its own rights, and for the server's version.
fn rights(listed: &str) -> String {
    let mut rows: Vec<String> = listed
        .lines()
        .skip(1)
        .filter(|line| !line.starts_with(' ') && !line.starts_with("self"))
        .map(|line| {
            let (resource, verbs) = line.split_once(' ').expect("columns");
            let verbs = verbs.rsplit_once('[').expect("verbs").1.trim_end().trim_end_matches(']');
            format!("  {resource}: {verbs}\n")
        })
        .collect();
    rows.sort();
    if rows.is_empty() { "  nothing\n".into() } else { rows.concat() }
}
