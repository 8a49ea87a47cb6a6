//! An API server with the namespaces of these tests and the definitions of others, asked by kubectl.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::helm::NAMESPACE;
use crate::root;
use crate::server::{ApiServer, programs};

/// kubectl as the one who may do everything.
pub struct Kubectl {
    program: PathBuf,
    /// What a program reaches the API server by.
    pub config: tempfile::NamedTempFile,
    // It ends with this value.
    _server: ApiServer,
}

impl Kubectl {
    /// None: the programs are not there, which has been said.
    pub async fn start() -> Option<Kubectl> {
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

    pub fn run(&self, args: &[&str]) -> Result<String, String> {
        said(self.command(args).stdin(Stdio::null()).output().expect("kubectl starts"))
    }

    pub fn apply(&self, args: &[&str], objects: &[Value]) -> Result<String, String> {
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
