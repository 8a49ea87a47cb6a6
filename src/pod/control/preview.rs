//! `GET /v1/preview.jpg`: the last picture, for people. Made at most once a second, however many
//! ask.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Shared;
use crate::publisher::PublishError;

/// How old a picture may be.
const FRESH: Duration = Duration::from_secs(1);

/// The last picture that was made.
#[derive(Default)]
pub(super) struct Kept {
    made: Option<Instant>,
    picture: Option<Bytes>,
}

pub(super) async fn preview(State(shared): State<Arc<Shared>>) -> Response {
    // Who asks meanwhile waits for the one that is being made.
    let mut kept = shared.preview.lock().await;
    if kept.made.is_none_or(|made| made.elapsed() >= FRESH) {
        let session = Arc::clone(&shared.session);
        let made = tokio::task::spawn_blocking(move || {
            let folded = session.folded()?;
            crate::publisher::preview(&session, &folded, &std::env::temp_dir())
        });
        let made: Result<Option<Vec<u8>>, PublishError> = made.await.unwrap_or(Ok(None));
        kept.made = Some(Instant::now());
        match made {
            Ok(picture) => kept.picture = picture.map(Bytes::from),
            Err(error) => {
                tracing::warn!(%error, "no preview");
                kept.picture = None;
            }
        }
    }
    match &kept.picture {
        Some(picture) => {
            let headers = [(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "no-store")];
            (headers, picture.clone()).into_response()
        }
        None => (StatusCode::NOT_FOUND, "there is no picture yet\n").into_response(),
    }
}
