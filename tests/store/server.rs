//! A real object store with the S3 interface: versitygw over a folder, on a free loopback port.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub const ACCESS: &str = "panorec-test";
pub const SECRET: &str = "a secret of the tests alone";
pub const BUCKET: &str = "lessons";

const START: Duration = Duration::from_secs(30);

/// Ends with its value.
pub struct Server {
    child: Child,
    address: String,
    folder: TempDir,
}

impl Server {
    /// One with an empty bucket.
    pub fn start() -> Server {
        Server::begin("127.0.0.1", &[], None)
    }

    /// One that finds the bucket in the host's name, before this domain.
    #[allow(dead_code)] // each test binary uses its share
    pub fn with_domain(domain: &str) -> Server {
        Server::begin("127.0.0.1", &[], Some(domain))
    }

    /// One at this address.
    #[allow(dead_code)] // each test binary uses its share
    pub fn on(host: &str) -> Server {
        Server::begin(host, &[], None)
    }

    /// One that other accounts than the tests' own may use, too: ids and secrets.
    pub fn start_for(accounts: &[(String, String)]) -> Server {
        Server::begin("127.0.0.1", accounts, None)
    }

    fn begin(host: &str, accounts: &[(String, String)], domain: Option<&str>) -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind((host, 0)).and_then(|held| held.local_addr()).expect("a port").port();
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a bucket");
        let address = format!("{host}:{port}");
        let child = Server::spawn(folder.path(), &address, accounts, domain);
        let mut server = Server { child, address, folder };
        server.wait();
        server
    }

    fn spawn(folder: &Path, address: &str, accounts: &[(String, String)], domain: Option<&str>) -> Child {
        let log = std::fs::File::create(folder.with_extension("log")).expect("a log");
        let account = |(id, secret): &(String, String)| {
            (id.clone(), serde_json::json!({ "access": id, "secret": secret, "role": "admin" }))
        };
        let known: serde_json::Map<String, serde_json::Value> = accounts.iter().map(account).collect();
        let iam = folder.with_extension("iam");
        std::fs::create_dir(&iam).expect("a folder");
        let known = serde_json::json!({ "accessAccounts": known }).to_string();
        std::fs::write(iam.join("users.json"), known).expect("written");
        Command::new(std::env::var_os("PANOREC_TEST_STORE").expect("run these tests by `make test-store`"))
            .args(["--access", ACCESS, "--secret", SECRET, "--region", "us-east-1", "--quiet"])
            .args(["--port", address])
            .args(domain.iter().flat_map(|domain| ["--virtual-domain", domain]))
            .arg("--iam-dir")
            .arg(iam)
            .arg("posix")
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("versitygw starts")
    }

    fn wait(&mut self) {
        let until = Instant::now() + START;
        while std::net::TcpStream::connect(&self.address).is_err() {
            let ended = self.child.try_wait().expect("a child");
            let log = || std::fs::read_to_string(self.folder.path().with_extension("log")).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < until, "no store ({ended:?}): {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn address(&self) -> String {
        self.address.clone()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The folder that the bucket is.
    pub fn bucket(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    /// What boto3 finds under a key: another client than ours.
    pub fn read(&self, key: &str) -> Vec<u8> {
        let file = self.folder.path().with_extension("read");
        self.boto(&format!("s3.download_file({BUCKET:?}, {key:?}, {:?})", file.to_str().expect("a path")));
        let bytes = std::fs::read(&file).expect("read");
        std::fs::remove_file(file).expect("removed");
        bytes
    }

    /// The value of a Python expression, with `s3` a client of boto3.
    pub fn boto(&self, expression: &str) -> String {
        let script = format!(
            "import boto3, botocore.config\n\
             s3 = boto3.client('s3', endpoint_url={:?}, aws_access_key_id={ACCESS:?}, aws_secret_access_key={SECRET:?},\n\
             region_name='us-east-1', config=botocore.config.Config(s3={{'addressing_style': 'path'}}))\n\
             print({expression})",
            self.url()
        );
        let output = Command::new("/usr/bin/python3").args(["-c", &script]).output().expect("python3 starts");
        assert!(output.status.success(), "{expression}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// Uploads in parts that were begun and not brought to their end.
    pub fn open_uploads(&self) -> String {
        self.boto(&format!("len(s3.list_multipart_uploads(Bucket={BUCKET:?}).get('Uploads', []))"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(self.folder.path().with_extension("log"));
        let _ = std::fs::remove_dir_all(self.folder.path().with_extension("iam"));
    }
}
