//! A gateway as a process of this machine, for one namespace.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::operator::kubeconfig;
use super::{Space, wait};
use crate::http::Client;
use crate::media::Scratch;

/// Killed when dropped.
pub struct Gateway {
    child: Option<Child>,
    scratch: Scratch,
    args: Vec<String>,
    port: u16,
    starts: u32,
}

impl Gateway {
    /// Starts one with an account of the namespace, and waits until it knows the namespace.
    pub fn start(space: &Space, args: &[&str]) -> Gateway {
        super::cluster::apply_text(&super::chart::rendered_for(&space.name, &["gateway-rbac.yaml"]));
        let scratch = Scratch::new();
        std::fs::write(scratch.join("kubeconfig"), kubeconfig(&space.name, "panorec-gateway")).expect("a kubeconfig");
        let free = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let own = ["gateway", "--namespace", &space.name, "--listen", &format!("127.0.0.1:{port}")];
        let args = own.iter().chain(args).map(|arg| (*arg).to_owned()).collect();
        let mut gateway = Gateway { child: None, scratch, args, port, starts: 0 };
        gateway.begin();
        gateway
    }

    /// Starts it, again.
    pub fn begin(&mut self) {
        self.starts += 1;
        let log = File::create(self.scratch.join(&format!("gateway-{}.log", self.starts))).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_panorec"))
            .args(&self.args)
            .env("KUBECONFIG", self.scratch.join("kubeconfig"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the gateway starts");
        self.child = Some(child);
        wait("the gateway to be ready", Duration::from_secs(30), || {
            std::net::TcpStream::connect(("127.0.0.1", self.port)).ok()?;
            (self.client().get("/readyz").status == 200).then_some(())
        });
    }

    pub fn client(&self) -> Client {
        Client { port: self.port, token: None }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Asks for an action; the answer.
    pub fn act(&self, action: &str, data: Value) -> Value {
        let body = json!({ "Action": action, "Data": data }).to_string();
        let answer = self.client().ask("POST", "/record", body.as_bytes());
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// Starts a task; its id.
    pub fn record(&self, data: Value) -> String {
        let answer = self.act("Start", data);
        answer["TaskID"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Looks at a task until its status is this one; all that was seen on the way.
    pub fn until(&self, task: &str, status: &str, deadline: u64) -> (Value, Vec<String>) {
        let mut seen: Vec<String> = Vec::new();
        let found = wait(&format!("{task} to be {status}"), Duration::from_secs(deadline), || {
            let described = self.act("Describe", json!({ "TaskID": task }));
            let now = described["Status"].as_str().unwrap_or_else(|| panic!("{described}")).to_owned();
            if seen.last() != Some(&now) {
                seen.push(now.clone());
            }
            (now == status).then_some(described)
        });
        (found, seen)
    }

    /// Its memory, as the kernel says.
    pub fn memory(&self) -> String {
        let pid = self.child.as_ref().map_or(0, Child::id);
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("gone").to_owned()
    }

    /// Kills it as the kernel would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("killed");
            child.wait().expect("it ends");
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.scratch.join(&format!("gateway-{}.log", self.starts))).unwrap_or_default()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            println!("the gateway said:\n{}", self.said());
        }
    }
}
