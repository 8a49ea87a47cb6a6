//! The publisher's control endpoint: events out, the intent in, a picture for people.
//! Called by the publisher of a pod; its client is the operator.
//! Never: trusts a request without the token, or lets one client keep the others from being served.

mod events;
mod intent;
mod preview;
mod token;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::middleware;
use axum::routing::{get, put};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::link::Link;
use crate::session::folder::SessionDir;

pub use token::Token;

/// Connections at a time.
const CONNECTIONS: usize = 32;
/// Streams of events at a time.
const STREAMS: usize = 8;
/// A request's head has this long to come, and this much room, in bytes; it is hyper's least.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
const HEAD_BYTES: usize = 16 << 10;
/// A body that is read has so much room, in bytes, and this long to come.
const BODY_BYTES: usize = 16 << 10;
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// What requests need to be answered.
struct Shared {
    session: Arc<SessionDir>,
    link: Link,
    token: Token,
    /// The generation that the pod was made from.
    generation: u64,
    /// Held while an intent is kept and told: they are told in their order.
    intents: Mutex<()>,
    streams: Arc<Semaphore>,
    preview: Mutex<preview::Kept>,
    ending: CancellationToken,
}

/// The endpoint, bound and not yet serving.
pub(super) struct Endpoint {
    listener: TcpListener,
    shared: Arc<Shared>,
}

impl Endpoint {
    pub(super) async fn bind(
        address: SocketAddr,
        session: Arc<SessionDir>,
        link: Link,
        token: Token,
        generation: u64,
    ) -> io::Result<Endpoint> {
        let listener = TcpListener::bind(address).await?;
        tracing::info!(address = %listener.local_addr()?, "serves");
        let shared = Shared {
            session,
            link,
            token,
            generation,
            intents: Mutex::default(),
            streams: Arc::new(Semaphore::new(STREAMS)),
            preview: Mutex::default(),
            ending: CancellationToken::new(),
        };
        Ok(Endpoint { listener, shared: Arc::new(shared) })
    }

    /// Cancelled, it makes [`serve`](Endpoint::serve) end once what is being answered is.
    pub(super) fn ending(&self) -> CancellationToken {
        self.shared.ending.clone()
    }

    /// Serves until the end is asked for.
    pub(super) async fn serve(self) {
        let router = router(Arc::clone(&self.shared));
        let free = Arc::new(Semaphore::new(CONNECTIONS));
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = self.shared.ending.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            // One too many is closed at once; its client tries again.
            let Ok(permit) = Arc::clone(&free).try_acquire_owned() else { continue };
            let (router, ending) = (router.clone(), self.shared.ending.clone());
            connections.spawn(async move {
                serve_connection(stream, router, ending).await;
                drop(permit);
            });
        }
        connections.close();
        connections.wait().await;
    }
}

/// Ends a connection whose client does not read.
#[derive(Debug, Clone)]
struct Hangup(CancellationToken);

async fn serve_connection(stream: TcpStream, router: Router, ending: CancellationToken) {
    let hangup = CancellationToken::new();
    let service = TowerToHyperService::new(router.layer(Extension(Hangup(hangup.clone()))));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = &mut connection => served,
        () = hangup.cancelled() => return,
        () = ending.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                served = &mut connection => served,
                () = hangup.cancelled() => return,
            }
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended badly");
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/events", get(events::events))
        .route("/v1/intent", put(intent::intent))
        .route("/v1/preview.jpg", get(preview::preview))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), token::required))
        .with_state(shared)
}
