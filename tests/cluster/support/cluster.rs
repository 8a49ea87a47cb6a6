//! The cluster that the tests were given, by kubectl.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A variable that `make test-cluster` sets.
pub fn given(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run these tests by `make test-cluster`"))
}

/// The address of this machine as pods see it.
pub fn pages_host() -> String {
    given("PANOREC_TEST_HOST")
}

/// Runs kubectl, and panics with what it says when it fails.
pub fn kubectl<S: AsRef<OsStr>>(args: &[S]) -> String {
    let output = kubectl_may_fail(args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {:?}: {said}", args.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    String::from_utf8(output.stdout).expect("text")
}

pub fn kubectl_may_fail<S: AsRef<OsStr>>(args: &[S]) -> Output {
    Command::new("kubectl").args(args).stdin(Stdio::null()).output().expect("kubectl starts")
}

/// Applies objects; what kubectl says where it refuses.
pub fn apply(objects: &Value) -> Result<(), String> {
    let mut child = Command::new("kubectl")
        .args(["apply", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(objects.to_string().as_bytes()).expect("kubectl reads");
    drop(stdin);
    let output = child.wait_with_output().expect("kubectl ends");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// Applies manifests.
pub fn apply_text(text: &str) {
    let mut child = Command::new("kubectl")
        .args(["apply", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("kubectl starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).expect("kubectl reads");
    drop(stdin);
    assert!(child.wait().expect("kubectl ends").success(), "the manifests are refused: see above");
}

/// Reads objects as JSON.
pub fn get<S: AsRef<OsStr>>(args: &[S]) -> Value {
    let mut all: Vec<&OsStr> = vec!["get".as_ref()];
    all.extend(args.iter().map(AsRef::as_ref));
    all.extend(["-o", "json"].map(OsStr::new));
    serde_json::from_str(&kubectl(&all)).expect("JSON")
}

/// Creates something at a path of the API; what the API server says.
pub fn create_raw(path: &str, body: &Value) -> String {
    let mut child = Command::new("kubectl")
        .args(["create", "--raw", path, "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(body.to_string().as_bytes()).expect("kubectl reads");
    drop(stdin);
    let output = child.wait_with_output().expect("kubectl ends");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a script of the tests' own node: tests/cluster/node/SCRIPT WHAT STATE.
pub fn node(script: &str, what: &str) {
    let path = format!("{}/tests/cluster/node/{script}", env!("CARGO_MANIFEST_DIR"));
    let status = Command::new(path).args([what, &given("PANOREC_TEST_STATE")]).status().expect("the script starts");
    assert!(status.success(), "{script} {what}");
}

/// The API server is gone until this is dropped.
pub struct Down;

/// Kills the API server of the tests' own node.
pub fn take_api_server_down() -> Down {
    node("api-server", "down");
    Down
}

impl Drop for Down {
    fn drop(&mut self) {
        node("api-server", "up");
    }
}

/// The API server stands still until this is dropped.
pub struct Frozen(nix::unistd::Pid);

/// Stops the API server of the tests' own node: it answers nothing any more.
pub fn freeze_api_server() -> Frozen {
    let server = given("PANOREC_TEST_API");
    let address = format!("--bind-address={server}");
    let is_it = |entry: &std::fs::DirEntry| {
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let mut args = command.split(|byte| *byte == 0);
        args.next().is_some_and(|program| program.ends_with(b"kube-apiserver"))
            && args.any(|arg| arg == address.as_bytes())
    };
    let entry = std::fs::read_dir("/proc").expect("/proc").flatten().find(is_it).expect("the API server's process");
    let pid = nix::unistd::Pid::from_raw(entry.file_name().to_str().expect("a name").parse().expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).expect("stopped");
    Frozen(pid)
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(self.0, nix::sys::signal::Signal::SIGCONT);
    }
}
