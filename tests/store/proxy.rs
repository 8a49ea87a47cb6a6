//! What lies between a client and the store: passes requests on, and misbehaves as it is told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

/// A request, as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: Method,
    /// Path and query.
    pub target: String,
    pub headers: HeaderMap,
    pub bytes: usize,
    /// Of the body, as Content-MD5 has it.
    pub md5: String,
}

impl Seen {
    pub fn is_part(&self) -> bool {
        self.method == Method::PUT && self.target.contains("partNumber=")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// What becomes of a request.
pub enum Verdict {
    Pass,
    /// It goes on to this path and query, with these headers.
    As(String, HeaderMap),
    /// It reaches the store with these headers.
    PassAs(HeaderMap),
    /// It reaches the store, and its answer is lost.
    LoseAnswer,
    Answer(u16, String),
    /// The connection ends.
    Reset,
}

type Judge = Box<dyn FnMut(&Seen) -> Verdict + Send>;

#[derive(Clone)]
struct Shared {
    store: String,
    judge: Arc<Mutex<Judge>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    client: reqwest::Client,
}

pub struct Proxy {
    address: SocketAddr,
    shared: Shared,
    _runtime: tokio::runtime::Runtime,
}

impl Proxy {
    /// Before the store at this address; `judge` decides over each request.
    pub fn before(store: String, judge: impl FnMut(&Seen) -> Verdict + Send + 'static) -> Proxy {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let judge: Judge = Box::new(judge);
        let shared = Shared { store, judge: Arc::new(Mutex::new(judge)), seen: Arc::default(), client };
        let app = Router::new().fallback(pass).with_state(shared.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("bound");
        runtime.spawn(async move { axum::serve(listener, app).await });
        Proxy { address, shared, _runtime: runtime }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().expect("not poisoned").clone()
    }
}

async fn pass(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, 64 << 20).await else { return reset() };
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let md5 = STANDARD.encode(Md5::digest(&body));
    let seen = Seen { method: parts.method.clone(), target, headers: parts.headers.clone(), bytes: body.len(), md5 };
    let verdict = (shared.judge.lock().expect("not poisoned"))(&seen);
    shared.seen.lock().expect("not poisoned").push(seen.clone());
    let is_lost = matches!(verdict, Verdict::LoseAnswer);
    let (target, headers) = match verdict {
        Verdict::Answer(status, text) => {
            let status = StatusCode::from_u16(status).expect("a status");
            return (status, [("Content-Type", "application/xml")], text).into_response();
        }
        Verdict::Reset => return reset(),
        Verdict::Pass | Verdict::LoseAnswer => (seen.target, parts.headers),
        Verdict::PassAs(headers) => (seen.target, headers),
        Verdict::As(target, headers) => (target, headers),
    };
    // With its own Host: that is signed, too.
    let url = format!("http://{}{target}", shared.store);
    let asked = shared.client.request(parts.method, url).headers(headers).body(body).send().await;
    let Ok(answer) = asked else { return reset() };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let Ok(bytes) = answer.bytes().await else { return reset() };
    if is_lost {
        return reset();
    }
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    // A HEAD's length is that of the object.
    *response.headers_mut() = headers;
    response.headers_mut().remove("transfer-encoding");
    response
}

/// An answer that breaks off before its first byte ends the connection.
fn reset() -> Response {
    let broken = futures::stream::once(async { Err::<axum::body::Bytes, _>(std::io::Error::other("reset")) });
    Response::new(Body::from_stream(broken))
}

/// What the stores say that take nothing but the plainest requests (Tencent COS, Aliyun OSS): no streamed
/// bodies, no checksum trailers, no ACLs, a Content-Type of its own for what is put.
pub fn strict(seen: &Seen) -> Verdict {
    let refuse = |status: u16, code: &str, message: &str| {
        let text = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
        Verdict::Answer(status, text)
    };
    let streamed = seen.header("content-encoding").contains("aws-chunked")
        || seen.header("x-amz-content-sha256").starts_with("STREAMING-");
    if streamed {
        return refuse(
            400,
            "InvalidArgument",
            "aws-chunked encoding is not supported with the specified x-amz-content-sha256 value.",
        );
    }
    let named = |start: &str| seen.headers.keys().any(|name| name.as_str().starts_with(start));
    if named("x-amz-checksum-") || named("x-amz-sdk-checksum-") || named("x-amz-trailer") {
        return refuse(400, "InvalidRequest", "The checksum algorithm is not supported.");
    }
    if named("x-amz-acl") || named("x-amz-grant-") {
        return refuse(403, "AccessDenied", "ACLs are not supported.");
    }
    let makes_object = (seen.method == Method::PUT && !seen.is_part()) || seen.target.contains("uploads");
    if makes_object && seen.method != Method::GET && seen.header("content-type").is_empty() {
        return refuse(400, "MissingContentType", "Content-Type is required.");
    }
    if seen.method == Method::POST && seen.target.contains("delete") {
        return refuse(501, "NotImplemented", "DeleteObjects is not supported.");
    }
    Verdict::Pass
}
