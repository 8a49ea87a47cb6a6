//! `GET /v1/events`: the journals of the session as they grow, a line of JSON each.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{MissedTickBehavior, timeout};

use super::{Hangup, Shared};
use crate::session::folder::{FolderError, FolderWatch, JournalTail};
use crate::session::stream::{Cursor, Mark, StreamLine};

/// How often a stream says that it lives.
const ALIVE: Duration = Duration::from_secs(5);
/// A client that takes nothing for this long is dropped.
const SLOW: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
pub(super) struct After {
    #[serde(default)]
    after: String,
}

pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
    Extension(hangup): Extension<Hangup>,
    Query(After { after }): Query<After>,
) -> Response {
    let cursor: Cursor = match after.parse() {
        Ok(cursor) => cursor,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let Ok(permit) = Arc::clone(&shared.streams).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "there are too many streams already\n").into_response();
    };
    let session = Arc::clone(&shared.session);
    let tail = tokio::task::spawn_blocking(move || JournalTail::new(&session, &cursor)).await;
    let tail = match tail {
        Ok(Ok(Some(tail))) => tail,
        Ok(Ok(None)) => {
            return (StatusCode::BAD_REQUEST, "the journals have no such places; begin anew\n").into_response();
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "the journals cannot be read");
            return (StatusCode::INTERNAL_SERVER_ERROR, "the journals cannot be read\n").into_response();
        }
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    let (sender, chunks) = mpsc::channel::<Bytes>(1);
    let stream = Stream { shared, tail, sender, hangup, _permit: permit };
    tokio::spawn(stream.send_all());
    let body = futures::stream::unfold(chunks, |mut chunks| async {
        let chunk = chunks.recv().await?;
        Some((Ok::<_, Infallible>(chunk), chunks))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(body)).into_response()
}

struct Stream {
    shared: Arc<Shared>,
    tail: JournalTail,
    sender: mpsc::Sender<Bytes>,
    hangup: Hangup,
    _permit: OwnedSemaphorePermit,
}

/// The client is gone, or should be.
struct Gone;

impl Stream {
    async fn send_all(mut self) {
        let session = Arc::clone(&self.shared.session);
        let mut watch = FolderWatch::new(&session.recorder_runs_folder());
        watch.add(&session.publisher_runs_folder());
        let mut alive = tokio::time::interval_at(tokio::time::Instant::now() + ALIVE, ALIVE);
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut caught_up = false;
        loop {
            // Looked at before the journals: what is written until then is sent.
            let last = self.shared.ending.is_cancelled();
            if self.send_news().await.is_err() {
                return;
            }
            if !std::mem::replace(&mut caught_up, true) && self.send_mark(Mark::CaughtUp).await.is_err() {
                return;
            }
            if last {
                return;
            }
            for run in self.tail.newest_runs(&session) {
                watch.add(&run);
            }
            tokio::select! {
                () = self.shared.ending.cancelled() => {}
                () = self.sender.closed() => return,
                () = watch.changed() => {}
                _ = alive.tick() => if self.send_mark(Mark::Alive).await.is_err() {
                    return;
                },
            }
        }
    }

    async fn send_news(&mut self) -> Result<(), Gone> {
        loop {
            let lines = self.read().await.map_err(|error| {
                // Whoever follows finds the stream at its end, and comes again.
                tracing::error!(%error, "the journals cannot be followed");
                Gone
            })?;
            if lines.is_empty() {
                return Ok(());
            }
            let mut chunk = Vec::new();
            for line in &lines {
                serde_json::to_writer(&mut chunk, line).map_err(|_| Gone)?;
                chunk.push(b'\n');
            }
            self.send(chunk.into()).await?;
        }
    }

    async fn read(&mut self) -> Result<Vec<StreamLine>, FolderError> {
        let mut tail = std::mem::take(&mut self.tail);
        let session = Arc::clone(&self.shared.session);
        let read = tokio::task::spawn_blocking(move || {
            let lines = tail.read(&session);
            (tail, lines)
        });
        let Ok((tail, lines)) = read.await else { return Ok(Vec::new()) };
        self.tail = tail;
        lines
    }

    async fn send_mark(&self, mark: Mark) -> Result<(), Gone> {
        let mut line = serde_json::to_vec(&StreamLine::Mark { mark }).map_err(|_| Gone)?;
        line.push(b'\n');
        self.send(line.into()).await
    }

    async fn send(&self, chunk: Bytes) -> Result<(), Gone> {
        match timeout(SLOW, self.sender.send(chunk)).await {
            Ok(sent) => sent.map_err(|_| Gone),
            Err(_) => {
                tracing::warn!("a client does not read its events; it is dropped");
                self.hangup.0.cancel();
                Err(Gone)
            }
        }
    }
}
