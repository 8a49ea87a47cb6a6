//! An operator as a process of this machine, for one namespace.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Space, wait};
use crate::media::Scratch;

/// Killed when dropped.
pub struct Operator {
    child: Option<Child>,
    args: Vec<String>,
    scratch: Scratch,
    starts: u32,
}

impl Operator {
    /// Starts one with an account of the namespace.
    pub fn start(space: &Space, args: &[&str]) -> Operator {
        Operator::start_as(space, args, account(space))
    }

    /// Starts one whose account is not of the namespace, and outlives it.
    pub fn start_from_outside(space: &Space, args: &[&str]) -> Operator {
        let args = [&["--lease-namespace", "panorec-system"], args].concat();
        Operator::start_as(space, &args, cluster_account())
    }

    fn start_as(space: &Space, args: &[&str], kubeconfig: String) -> Operator {
        let own = ["operator", "--image-pull-policy", "IfNotPresent", "--namespace", &space.name];
        let reach: &[&str] = if args.contains(&"--reach") { &[] } else { &["--reach", "proxy"] };
        let own = own.iter().chain(&["--listen", "127.0.0.1:0", "--identity", "one"]).chain(reach);
        let scratch = Scratch::new();
        let key = scratch.join("token.key");
        std::fs::write(&key, "0123456789abcdef0123456789abcdef").expect("a key");
        let mut all: Vec<String> = own.chain(args).map(|arg| (*arg).to_owned()).collect();
        all.extend(["--token-key-file".to_owned(), key.display().to_string()]);
        std::fs::write(scratch.join("kubeconfig"), kubeconfig).expect("a kubeconfig");
        let mut operator = Operator { child: None, args: all, scratch, starts: 0 };
        operator.begin();
        operator
    }

    /// Starts it, again.
    pub fn begin(&mut self) {
        self.starts += 1;
        let log = File::create(self.log()).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_panorec"))
            .args(&self.args)
            .env("KUBECONFIG", self.scratch.join("kubeconfig"))
            .env("PANOREC_IMAGE", super::cluster::given("PANOREC_TEST_IMAGE"))
            .env("PANOREC_EGRESS_ALLOW", super::cluster::given("PANOREC_TEST_HOST"))
            .env("PANOREC_LOG", "panorec=debug,kube=info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the operator starts");
        self.child = Some(child);
    }

    /// Waits until it leads.
    pub fn leads(&mut self) {
        let log = self.log();
        wait("the operator to lead", Duration::from_secs(60), || {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            if let Some(ended) = self.child.as_mut().and_then(|child| child.try_wait().expect("a child")) {
                panic!("the operator ended with {ended}: {said}");
            }
            said.contains("\"leads\"").then_some(())
        });
    }

    /// What its diagnostics say.
    pub fn state(&self) -> Option<Value> {
        let said = std::fs::read_to_string(self.log()).ok()?;
        let line = said.lines().find(|line| line.contains("\"serves\""))?;
        let line: Value = serde_json::from_str(line).ok()?;
        let url = format!("http://{}/debug/state", line["address"].as_str()?);
        let output = Command::new("curl").args(["-s", "--max-time", "5", &url]).output().ok()?;
        serde_json::from_slice(&output.stdout).ok()
    }

    /// The file with which it reaches the API server.
    pub fn kubeconfig(&self) -> PathBuf {
        self.scratch.join("kubeconfig")
    }

    /// Its memory, as the kernel says.
    pub fn memory(&self) -> String {
        let pid = self.child.as_ref().map_or(0, Child::id);
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("gone").to_owned()
    }

    fn log(&self) -> PathBuf {
        self.scratch.join(&format!("operator-{}.log", self.starts))
    }

    /// Kills it as the kernel would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("killed");
            child.wait().expect("it ends");
        }
    }

    /// Whether it is still there.
    pub fn lives(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().expect("a child").is_none())
    }
}

/// The operator's own account in this namespace, with the rights of the chart. It is outside the cluster, so it reaches
/// pods through the API server.
fn account(space: &Space) -> String {
    super::cluster::apply_text(&super::chart::rendered_for(&space.name, &["operator-rbac.yaml"]));
    super::cluster::apply(&proxy("Role", &space.name)).expect("a role");
    kubeconfig(&space.name, "panorec-operator")
}

/// The account of an operator for the whole cluster.
fn cluster_account() -> String {
    const HOME: &str = "panorec-system";
    super::cluster::apply(&json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": HOME } }))
        .expect("a namespace");
    super::cluster::apply_text(&super::chart::rendered(HOME, &["operator-rbac.yaml"], &[]));
    super::cluster::apply(&proxy("ClusterRole", HOME)).expect("a role");
    kubeconfig(HOME, "panorec-operator")
}

/// The right to reach pods through the API server, for the operator's account of this namespace.
fn proxy(kind: &str, home: &str) -> Value {
    let mut metadata = json!({ "name": "panorec-test-proxy" });
    if kind == "Role" {
        metadata["namespace"] = json!(home);
    }
    let group = "rbac.authorization.k8s.io";
    json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": format!("{group}/v1"), "kind": kind, "metadata": metadata,
          "rules": [{ "apiGroups": [""], "resources": ["pods/proxy"], "verbs": ["get", "update"] }] },
        { "apiVersion": format!("{group}/v1"), "kind": format!("{kind}Binding"), "metadata": metadata,
          "roleRef": { "apiGroup": group, "kind": kind, "name": "panorec-test-proxy" },
          "subjects": [{ "kind": "ServiceAccount", "name": "panorec-operator", "namespace": home }] }
    ] })
}

/// What an account of a namespace reaches the API server by.
pub fn kubeconfig(namespace: &str, account: &str) -> String {
    let token = super::kubectl(&["create", "token", account, "--duration=4h", "-n", namespace]);
    let text = super::kubectl(&["config", "view", "--raw", "--minify", "--flatten", "-o", "json"]);
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    config["users"][0]["user"] = json!({ "token": token.trim() });
    config.to_string()
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let said = std::fs::read_to_string(self.log()).unwrap_or_default();
            let lines: Vec<&str> = said.lines().collect();
            println!("the operator said at last:");
            for line in &lines[lines.len().saturating_sub(60)..] {
                println!("  {line}");
            }
        }
    }
}
