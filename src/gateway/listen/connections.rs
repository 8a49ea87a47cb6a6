//! Connections: each by itself, so that none keeps the others from being served.

use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A TLS handshake, and a request's head, have this long to come; an idle connection stays as long.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// A request's head has this much room, in bytes.
const HEAD_BYTES: usize = 64 << 10;
/// What is being answered has this long to be, once the end is asked for.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves until `end`.
pub(super) async fn serve(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    end: CancellationToken,
) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = end.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Too many open files, most likely: some of them are closed in a moment.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let (acceptor, router, end) = (acceptor.clone(), router.clone(), end.clone());
        connections.spawn(async move {
            let Some(acceptor) = acceptor else { return connection(stream, router, end).await };
            match tokio::time::timeout(HEAD_WITHIN, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => connection(stream, router, end).await,
                Ok(Err(error)) => tracing::debug!(%error, "no TLS connection came of it"),
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            }
        });
    }
    connections.close();
    if tokio::time::timeout(DRAIN, connections.wait()).await.is_err() {
        tracing::warn!("some clients took too long to be served to their end");
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, router: Router, end: CancellationToken) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = &mut connection => served,
        () = end.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended badly");
    }
}
