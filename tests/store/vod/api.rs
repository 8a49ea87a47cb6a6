//! A stand-in for Tencent Cloud VOD: three actions over the real object store.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::signed::{Refusal, Request, signed};
use super::sigv4::without_token;
use crate::proxy::{Seen, Verdict};
use crate::server::BUCKET;

pub const SECRET_ID: &str = "AKIDpanorecTests";
pub const SECRET_KEY: &str = "a key of the tests alone";
pub const SUB_APP_ID: u64 = 1_500_007_120;
pub const REGION: &str = "ap-guangzhou";
/// The length of what is no video, in seconds.
pub const SECONDS: f64 = 4.0;
/// How many certificates there are.
const CERTIFICATES: usize = 16;

/// The keys of all certificates: accounts of the object store.
pub fn certificates() -> Vec<(String, String)> {
    (0..CERTIFICATES).map(|n| (format!("AKIDtemporary{n}"), format!("temporary key {n}"))).collect()
}

fn token(n: usize) -> String {
    format!("token-{n}")
}

/// What becomes of a request that is right.
pub enum Fate {
    Answered,
    /// With this code, and nothing is done.
    Refused(&'static str),
    /// By something before VOD.
    Status(u16),
    /// It is done, and the answer gets lost.
    Lost,
    /// It is done, and the answer takes until nobody waits for it.
    Held,
}

/// What a second CommitUpload of the same session gives; no documentation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    Same,
    Refused,
}

/// Where the keys of a certificate are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Bucket,
    OwnPlace,
}

type Judge = Box<dyn FnMut(&str, usize) -> Fate + Send>;

/// A request whose signature was right.
#[derive(Debug, Clone)]
pub struct Asked {
    pub action: String,
    pub body: Value,
    /// That of temporary credentials.
    pub token: String,
    /// The code that it was refused with.
    pub refused: Option<String>,
}

struct Applied {
    session_key: String,
    media_key: String,
    cover_key: Option<String>,
    file_id: String,
    committed: bool,
}

#[derive(Debug, Clone)]
pub struct Medium {
    pub file_id: String,
    /// In the bucket.
    pub key: String,
    pub cover: Option<String>,
    pub session_key: String,
    looks: usize,
}

pub struct World {
    bucket: PathBuf,
    judge: Judge,
    applied: Vec<Applied>,
    /// Certificates that have ended, by their number.
    ended: BTreeSet<usize>,
    pub media: Vec<Medium>,
    pub asked: Vec<Asked>,
    pub again: Again,
    pub scope: Scope,
    /// May the keys look at what is there?
    pub may_look: bool,
    /// How long a certificate says that it lasts, in seconds.
    pub lasts: i64,
    /// What VOD says of sizes is off by so much.
    pub miscounts: u64,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<World>>);

pub struct Vod {
    address: SocketAddr,
    shared: Shared,
    _runtime: tokio::runtime::Runtime,
}

impl Vod {
    /// Over the bucket in this folder; `judge` gets the action and how often it was asked for, from 1.
    pub fn over(bucket: PathBuf, judge: impl FnMut(&str, usize) -> Fate + Send + 'static) -> Vod {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
        let shared = Shared(Arc::new(Mutex::new(World {
            bucket,
            judge: Box::new(judge),
            applied: Vec::new(),
            ended: BTreeSet::new(),
            media: Vec::new(),
            asked: Vec::new(),
            again: Again::Same,
            scope: Scope::OwnPlace,
            may_look: true,
            lasts: 3_600,
            miscounts: 0,
        })));
        let app = Router::new().fallback(answer).with_state(shared.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("bound");
        runtime.spawn(async move { axum::serve(listener, app).await });
        Vod { address, shared, _runtime: runtime }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.0.lock().expect("not poisoned")
    }

    /// How often an action was asked for.
    pub fn count(&self, action: &str) -> usize {
        self.world().asked.iter().filter(|asked| asked.action == action).count()
    }

    /// For a proxy before the object store: lets through what the keys of a certificate are good for, and what
    /// `then` lets through of it; `then` also says which certificates end.
    pub fn guard(
        &self,
        mut then: impl FnMut(&Seen, &mut BTreeSet<usize>) -> Verdict + Send + 'static,
    ) -> impl FnMut(&Seen) -> Verdict + Send + 'static {
        let shared = self.shared.clone();
        move |seen| {
            let refuse = |code: &str, why: &str| {
                Verdict::Answer(403, format!("<Error><Code>{code}</Code><Message>{why}</Message></Error>"))
            };
            let verdict = {
                let mut ended = std::mem::take(&mut shared.0.lock().expect("not poisoned").ended);
                let verdict = then(seen, &mut ended);
                shared.0.lock().expect("not poisoned").ended = ended;
                verdict
            };
            let world = shared.0.lock().expect("not poisoned");
            let keys = seen.header("authorization").split_once("Credential=AKIDtemporary");
            let number = keys.and_then(|(_, rest)| rest.split_once('/')?.0.parse::<usize>().ok());
            let Some((n, applied)) = number.and_then(|n| Some((n, world.applied.get(n)?))) else {
                return refuse("InvalidAccessKeyId", "no such certificate");
            };
            let (_, secret) = &certificates()[n];
            let headers = match without_token(seen, secret, &token(n)) {
                Ok(headers) => headers,
                Err(why) => return refuse("SignatureDoesNotMatch", &why),
            };
            if world.ended.contains(&n) {
                return refuse("ExpiredToken", "the certificate has ended");
            }
            let own = applied.media_key.rsplit_once('/').map_or("", |(folder, _)| folder);
            let is_own = seen.target.starts_with(&format!("/{BUCKET}/{own}/"));
            let is_other = seen.target.starts_with(&format!("/{BUCKET}/6c0f1c00"));
            let is_allowed = is_own || is_other && world.scope == Scope::Bucket;
            if !is_allowed {
                return refuse("AccessDenied", "the certificate is for another place");
            }
            if seen.method == Method::HEAD && !world.may_look {
                return refuse("AccessDenied", "the certificate is for uploads");
            }
            if let Verdict::Pass = verdict { Verdict::PassAs(headers) } else { verdict }
        }
    }
}

async fn answer(State(shared): State<Shared>, request: axum::extract::Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a body");
    let (reply, held) = {
        let mut world = shared.0.lock().expect("not poisoned");
        let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
        let reply = match signed(&parts.method, target, &parts.headers, &body) {
            Err((code, why)) => Reply::Said(refusal(code, &why)),
            Ok(request) => world.take(request),
        };
        match reply {
            Reply::Said(value) => (Some(json!({ "Response": value })), false),
            Reply::Status(status) => {
                return (StatusCode::from_u16(status).expect("a status"), "<html>").into_response();
            }
            Reply::Lost => (None, false),
            Reply::Held => (None, true),
        }
    };
    if held {
        std::future::pending::<()>().await;
    }
    match reply {
        // VOD answers 200 to everything.
        Some(reply) => ([("Content-Type", "application/json")], reply.to_string()).into_response(),
        None => {
            let broken = futures::stream::once(async { Err::<axum::body::Bytes, _>(std::io::Error::other("lost")) });
            Response::new(Body::from_stream(broken))
        }
    }
}

enum Reply {
    Said(Value),
    Status(u16),
    Lost,
    Held,
}

fn refusal(code: &str, why: &str) -> Value {
    json!({ "Error": { "Code": code, "Message": why }, "RequestId": "request-0" })
}

impl World {
    fn take(&mut self, request: Request) -> Reply {
        let Request { action, body, token } = request;
        let nth = 1 + self.asked.iter().filter(|asked| asked.action == action).count();
        let fate = (self.judge)(&action, nth);
        let mut asked = Asked { action, body, token, refused: None };
        let reply = match fate {
            Fate::Refused(code) => {
                asked.refused = Some(code.to_owned());
                Reply::Said(refusal(code, "as the test wants it"))
            }
            Fate::Status(status) => {
                asked.refused = Some(status.to_string());
                Reply::Status(status)
            }
            fate @ (Fate::Answered | Fate::Lost | Fate::Held) => {
                let done = match asked.action.as_str() {
                    "ApplyUpload" => self.apply(&asked.body),
                    "CommitUpload" => self.commit(&asked.body),
                    _ => Ok(self.describe(&asked.body)),
                };
                asked.refused = done.as_ref().err().map(|(code, _)| (*code).to_owned());
                match fate {
                    Fate::Lost => Reply::Lost,
                    Fate::Held => Reply::Held,
                    _ => Reply::Said(done.unwrap_or_else(|(code, why)| refusal(code, &why))),
                }
            }
        };
        self.asked.push(asked);
        reply
    }

    fn apply(&mut self, body: &Value) -> Result<Value, Refusal> {
        let kind = body["MediaType"].as_str().unwrap_or_default();
        if !["mp4", "m3u8"].contains(&kind) {
            return Err(("InvalidParameterValue.MediaType", kind.to_owned()));
        }
        let n = self.applied.len();
        let (id, secret) = certificates().into_iter().nth(n).expect("a certificate is left");
        let file_id = format!("52858907842{n:08}");
        let folder = format!("6c0f1c00vodgzp251000333/dee2{n:04x}{file_id}");
        let cover_key = body.get("CoverType").and_then(Value::as_str).map(|kind| format!("{folder}/cover.{kind}"));
        let applied = Applied {
            session_key: format!("session/{n}+of=the tests"),
            media_key: format!("{folder}/f0.{kind}"),
            cover_key,
            file_id,
            committed: false,
        };
        let said = json!({
            "StorageBucket": BUCKET,
            "StorageRegion": "us-east-1",
            "VodSessionKey": applied.session_key,
            "MediaStoragePath": format!("/{}", applied.media_key),
            "CoverStoragePath": applied.cover_key.as_ref().map(|key| format!("/{key}")),
            "TempCertificate": {
                "SecretId": id,
                "SecretKey": secret,
                "Token": token(n),
                "ExpiredTime": Timestamp::now().as_second() + self.lasts,
            },
            "RequestId": "request-1",
        });
        self.applied.push(applied);
        Ok(said)
    }

    fn commit(&mut self, body: &Value) -> Result<Value, Refusal> {
        let unknown = || ("InvalidParameterValue.VodSessionKey", "invalid session".to_owned());
        let applied = self.applied.iter_mut().find(|applied| body["VodSessionKey"] == applied.session_key.as_str());
        let applied = applied.ok_or_else(unknown)?;
        if applied.committed && self.again == Again::Refused {
            return Err(unknown());
        }
        if !applied.committed {
            let files = files(&self.bucket.join(&applied.media_key));
            let cover = applied.cover_key.as_ref().map(|key| self.bucket.join(key));
            if let Some(lacking) = files.iter().chain(&cover).find(|file| !file.is_file()) {
                return Err(("ResourceNotFound", lacking.display().to_string()));
            }
            applied.committed = true;
            self.media.push(Medium {
                file_id: applied.file_id.clone(),
                key: applied.media_key.clone(),
                cover: applied.cover_key.clone(),
                session_key: applied.session_key.clone(),
                looks: 0,
            });
        }
        let url = url_of(&applied.media_key);
        Ok(json!({ "FileId": applied.file_id, "MediaUrl": url, "CoverUrl": null, "RequestId": "request-2" }))
    }

    fn describe(&mut self, body: &Value) -> Value {
        let asked: Vec<&str> = body["FileIds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let (mut found, mut gone) = (Vec::new(), Vec::new());
        for file_id in asked {
            let Some(medium) = self.media.iter_mut().find(|medium| medium.file_id == file_id) else {
                gone.push(file_id);
                continue;
            };
            medium.looks += 1;
            let media = self.bucket.join(&medium.key);
            // What is in the file is known a little later.
            let meta = (medium.looks > 1).then(|| {
                let sizes = files(&media).iter().map(|file| file.metadata().expect("a file").len()).sum::<u64>();
                json!({ "Size": sizes + self.miscounts, "Duration": seconds(&media), "Container": "mov,mp4" })
            });
            let basic = json!({ "Name": "lesson", "MediaUrl": url_of(&medium.key) });
            found.push(json!({ "FileId": file_id, "BasicInfo": basic, "MetaData": meta }));
        }
        json!({ "MediaInfoSet": found, "NotExistFileIdSet": gone, "RequestId": "request-3" })
    }
}

fn url_of(key: &str) -> String {
    format!("http://251000333.vod2.myqcloud.com/{key}")
}

/// The file that players open, and those that it names.
fn files(entry: &Path) -> Vec<PathBuf> {
    let mut files = vec![entry.to_owned()];
    if entry.extension().is_some_and(|extension| extension == "m3u8")
        && let Ok(playlist) = std::fs::read_to_string(entry)
    {
        let names = playlist.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        files.extend(names.map(|name| entry.with_file_name(name.replace("%20", " "))));
    }
    files
}

/// The length of a video; what the tests say of one that is none.
fn seconds(media: &Path) -> f64 {
    if let Ok(playlist) = std::fs::read_to_string(media) {
        let lengths = playlist.lines().filter_map(|line| line.strip_prefix("#EXTINF:")?.split(',').next());
        return lengths.map(|length| length.parse::<f64>().expect("a length")).sum();
    }
    let probe = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"])
        .arg(media)
        .output();
    String::from_utf8_lossy(&probe.expect("ffprobe starts").stdout).trim().parse().unwrap_or(SECONDS)
}
