//! etcd and an API server of their own, on free loopback ports, in a folder that goes with them.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use kube::Client;
use kube::config::{AuthInfo, Config};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use serde_json::json;
use tempfile::TempDir;

/// The longest time that the API server may take to be ready.
const START: Duration = Duration::from_secs(90);
/// Of its only user, who may do everything.
const TOKEN: &str = "loopback-only";

pub struct ApiServer {
    client: Client,
    port: u16,
    // Killed in this order, then their folder goes.
    _api: Daemon,
    _etcd: Daemon,
    _folder: TempDir,
}

impl ApiServer {
    /// None: the programs are not there, which has been said.
    pub async fn start() -> Option<ApiServer> {
        let programs = programs()?;
        let folder = tempfile::tempdir().unwrap();
        let [client_port, peer_port, api_port] = free_ports();
        let (etcd_url, peer_url) = (format!("http://127.0.0.1:{client_port}"), format!("http://127.0.0.1:{peer_port}"));
        let etcd = Daemon::start(
            &programs,
            "etcd",
            folder.path(),
            &[
                "--data-dir=etcd".to_owned(),
                "--unsafe-no-fsync".to_owned(),
                format!("--listen-client-urls={etcd_url}"),
                format!("--advertise-client-urls={etcd_url}"),
                format!("--listen-peer-urls={peer_url}"),
                format!("--initial-advertise-peer-urls={peer_url}"),
                format!("--initial-cluster=default={peer_url}"),
            ],
        );
        make_key(&folder.path().join("accounts.key"));
        fs::write(folder.path().join("tokens.csv"), format!("{TOKEN},admin,admin,\"system:masters\"\n")).unwrap();
        let mut api = Daemon::start(
            &programs,
            "kube-apiserver",
            folder.path(),
            &[
                format!("--etcd-servers={etcd_url}"),
                format!("--secure-port={api_port}"),
                "--bind-address=127.0.0.1".to_owned(),
                "--cert-dir=certs".to_owned(),
                "--service-cluster-ip-range=10.99.0.0/24".to_owned(),
                "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
                "--service-account-key-file=accounts.key".to_owned(),
                "--service-account-signing-key-file=accounts.key".to_owned(),
                "--token-auth-file=tokens.csv".to_owned(),
                "--authorization-mode=RBAC".to_owned(),
                "--disable-admission-plugins=ServiceAccount".to_owned(),
            ],
        );
        let client = client(api_port);
        await_ready(&client, &mut api).await;
        Some(ApiServer { client, port: api_port, _api: api, _etcd: etcd, _folder: folder })
    }

    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// What a program reaches it by.
    pub fn kubeconfig(&self) -> String {
        json!({ "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{ "name": "it", "cluster": {
                "server": format!("https://127.0.0.1:{}", self.port), "insecure-skip-tls-verify": true } }],
            "users": [{ "name": "it", "user": { "token": TOKEN } }],
            "contexts": [{ "name": "it", "context": { "cluster": "it", "user": "it", "namespace": "default" } }] })
        .to_string()
    }
}

/// Where the programs are.
pub fn programs() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let folder = cache.join("panorec-cluster/bin");
    if ["etcd", "kube-apiserver"].iter().all(|name| folder.join(name).exists()) {
        return Some(folder);
    }
    eprintln!("skipped: no etcd and kube-apiserver in {}; make them by tests/cluster/node/build", folder.display());
    None
}

/// Ports that were free a moment ago.
fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let held: [TcpListener; COUNT] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

/// A key for service accounts, which the API server insists on; of the kinds that openssl makes it
/// takes RSA alone.
fn make_key(path: &Path) {
    let made = Command::new("openssl")
        .args(["genpkey", "-quiet", "-algorithm", "RSA", "-out"])
        .arg(path)
        .output()
        .expect("openssl starts");
    assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
}

fn client(port: u16) -> Client {
    let mut config = Config::new(format!("https://127.0.0.1:{port}").parse().unwrap());
    // It made its own certificate, and only this machine can listen there.
    config.accept_invalid_certs = true;
    config.auth_info = AuthInfo { token: Some(TOKEN.to_owned().into()), ..AuthInfo::default() };
    Client::try_from(config).unwrap()
}

/// Asks until it is ready: it says so to nobody by itself.
async fn await_ready(client: &Client, api: &mut Daemon) {
    let until = Instant::now() + START;
    loop {
        let asked = http::Request::get("/readyz").body(Vec::new()).unwrap();
        let answer = client.request_text(asked).await;
        if answer.is_ok() {
            return;
        }
        assert!(api.lives() && Instant::now() < until, "no API server ({answer:?}):\n{}", api.last_words());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Starts a program that is killed with this one, however that ends.
fn with_this_program(mut command: Command) -> std::io::Result<Child> {
    // SAFETY: a plain system call between fork and exec.
    unsafe { command.pre_exec(|| Ok(set_pdeathsig(Signal::SIGKILL)?)) };
    // The kernel goes by the thread that started it: this one stays.
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = tell.send(command.spawn());
        loop {
            std::thread::park();
        }
    });
    told.recv().expect("an answer")
}

/// A program that ends with this value.
struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    fn start(programs: &Path, name: &str, folder: &Path, args: &[String]) -> Daemon {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).unwrap();
        let mut command = Command::new(programs.join(name));
        command.args(args).current_dir(folder).stdin(Stdio::null());
        command.stdout(file.try_clone().unwrap()).stderr(file);
        let child = with_this_program(command).unwrap_or_else(|error| panic!("{name}: {error}"));
        Daemon { child, log }
    }

    fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let from = text.lines().count().saturating_sub(20);
        text.lines().skip(from).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
