//! `PUT /v1/intent`: what is wanted of the recording, kept first, then told to the recorder.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::{BODY_BYTES, BODY_WITHIN, Shared};
use crate::session::folder::FolderError;
use crate::session::stream::{Taken, ToldIntent};

/// A recorder takes an intent in at once; one that does not is told again when it comes back.
const JOURNALED_WITHIN: Duration = Duration::from_secs(4);

pub(super) async fn intent(State(shared): State<Arc<Shared>>, body: Body) -> Response {
    let body = match tokio::time::timeout(BODY_WITHIN, to_bytes(body, BODY_BYTES)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return (StatusCode::PAYLOAD_TOO_LARGE, "the body is too long\n").into_response(),
        Err(_) => return (StatusCode::REQUEST_TIMEOUT, "the body did not come in time\n").into_response(),
    };
    let told: ToldIntent = match serde_json::from_slice(&body) {
        Ok(told) => told,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("no intent: {error}\n")).into_response(),
    };
    let _in_order = shared.intents.lock().await;
    let look = {
        let (shared, told) = (Arc::clone(&shared), told.clone());
        tokio::task::spawn_blocking(move || keep(&shared, &told))
    };
    let kept = match look.await {
        Ok(Ok(kept)) => kept,
        Ok(Err(error)) => {
            tracing::error!(%error, "an intent cannot be kept");
            return (StatusCode::INTERNAL_SERVER_ERROR, "the intent cannot be kept\n").into_response();
        }
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    let taken = match kept {
        Kept::Older(seen) => {
            let why = format!("generation {} is older than {seen}, which was seen already\n", told.generation);
            return (StatusCode::CONFLICT, why).into_response();
        }
        Kept::NoNews => true,
        Kept::News => shared.link.tell(told.intent, JOURNALED_WITHIN).await,
    };
    let status = if taken { StatusCode::OK } else { StatusCode::ACCEPTED };
    (status, Json(Taken { taken })).into_response()
}

enum Kept {
    Older(u64),
    /// The journal has it, or it changes nothing any more.
    NoNews,
    News,
}

fn keep(shared: &Shared, told: &ToldIntent) -> Result<Kept, FolderError> {
    let before = shared.session.told()?;
    let seen = before.as_ref().map_or(0, |before| before.generation).max(shared.generation);
    if told.generation < seen {
        return Ok(Kept::Older(seen));
    }
    if before.as_ref() != Some(told) {
        shared.session.keep_told(told)?;
    }
    // A journal that cannot be read tells nothing; the recorder may know better.
    let no_news = shared
        .session
        .folded()
        .is_ok_and(|folded| folded.is_stopped() || told.intent.edge_after(&folded.told).is_none());
    Ok(if no_news { Kept::NoNews } else { Kept::News })
}
