//! The clients, each asked in the same way.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::KEY_ID;

/// A program that signs a body, sends it and prints the answer.
#[derive(Debug, Clone, Copy)]
pub enum Client {
    Bash,
    Python,
    Node,
    Go,
    Panorec,
}

impl Client {
    pub const ALL: [Client; 5] = [Client::Bash, Client::Python, Client::Node, Client::Go, Client::Panorec];

    /// Sends a body to a base URL, signed with the tests' key and this secret.
    pub fn send(self, url: &str, secret: &str, body: &str) -> Output {
        let sample = |program: &str, name: &str| {
            let mut command = Command::new(program);
            command.arg(samples().join(name)).args([url, KEY_ID, body]);
            command
        };
        let mut command = match self {
            Client::Bash => sample("bash", "action.sh"),
            Client::Python => sample("python3", "action.py"),
            Client::Node => sample("node", "action.mjs"),
            Client::Go => {
                let mut command = Command::new("go");
                command.arg("run").arg(samples().join("action.go")).args([url, KEY_ID, body]);
                command
            }
            Client::Panorec => panorec(url, &["--key-id", KEY_ID, "raw", body]),
        };
        let command = command.env("PANOREC_KEY_SECRET", secret).stdin(Stdio::null());
        command.output().unwrap_or_else(|error| panic!("{self:?} cannot be run: {error}"))
    }
}

/// `panorec action` with a base URL and nothing from the environment.
pub fn panorec(url: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_panorec"));
    command.args(["action", "--url", url]).args(args).stdin(Stdio::null());
    for name in ["ACTION_URL", "KEY_ID", "KEY_FILE", "KEY_SECRET", "PATH_PREFIX"] {
        command.env_remove(format!("PANOREC_{name}"));
    }
    command
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/samples")
}

/// What a program has said.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}
