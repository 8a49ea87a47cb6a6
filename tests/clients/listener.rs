//! Where requests are caught as they were sent, and answered as a test says.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::Value;
use tokio::runtime::Runtime;

const DEADLINE: Duration = Duration::from_secs(30);

/// What a request is answered.
#[derive(Clone)]
pub enum Reply {
    Json(u16, Value),
    /// The answer begins, and the connection breaks.
    Lost,
}

/// A request as it came.
pub struct Sent {
    pub head: Parts,
    pub body: Bytes,
}

impl Sent {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Listens on loopback until it is dropped.
pub struct Listener {
    pub url: String,
    sent: Receiver<Sent>,
    _runtime: Runtime,
}

struct Shared {
    replies: Mutex<Box<dyn Iterator<Item = Reply> + Send>>,
    sent: Sender<Sent>,
}

impl Listener {
    /// Answers the first request with the first reply, and so on.
    pub fn new(replies: impl IntoIterator<Item = Reply, IntoIter: Send + 'static>) -> Listener {
        let runtime = Runtime::new().unwrap();
        let (sender, sent) = channel();
        let shared = Shared { replies: Mutex::new(Box::new(replies.into_iter())), sent: sender };
        let router = Router::new().fallback(answer).with_state(Arc::new(shared));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Listener { url, sent, _runtime: runtime }
    }

    /// The next request.
    pub fn next(&self) -> Sent {
        self.sent.recv_timeout(DEADLINE).expect("a request")
    }

    /// How many more there were.
    pub fn count(&self) -> usize {
        self.sent.try_iter().count()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    shared.sent.send(Sent { head, body }).unwrap();
    let reply = shared.replies.lock().unwrap().next().expect("one request too many");
    match reply {
        Reply::Json(status, body) => Response::builder().status(status).body(body.to_string().into()).unwrap(),
        Reply::Lost => {
            let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("lost")) });
            Response::new(Body::from_stream(broken))
        }
    }
}
