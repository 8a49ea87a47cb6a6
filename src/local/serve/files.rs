//! `GET /files/<TaskID>/<name>`, and the same behind the prefix: finished files that stay in their sessions, whole or in ranges. Whoever knows the
//! address may have them, as in a public bucket.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::services::ServeFile;

use super::engine::Engine;
use crate::gateway::Prefix;
use crate::session::name::TaskId;

const FILES: &str = "/files/{task}/{name}";

/// The routes, to be merged with the others.
pub(super) fn router(engine: Engine, prefix: &Prefix) -> Router {
    let places = [Some(FILES.to_owned()), prefix.place(FILES)].into_iter().flatten();
    places.fold(Router::new(), |router, place| router.route(&place, get(file))).with_state(engine)
}

async fn file(
    State(engine): State<Engine>,
    Path((task, name)): Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    let nothing = || (StatusCode::NOT_FOUND, "there is no such file\n").into_response();
    let Ok(id) = task.parse::<TaskId>() else { return nothing() };
    let kind = kind(&name);
    let found = tokio::task::spawn_blocking(move || engine.file(&id, &name)).await;
    let Ok(Some(path)) = found else { return nothing() };
    let mut response = match ServeFile::new(path).try_call(request).await {
        Ok(response) => response.map(Body::new),
        Err(error) => {
            tracing::warn!(%error, "a file cannot be served");
            return nothing();
        }
    };
    if response.status().is_success() {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    response
}

/// What players go by, as object stores say it.
fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("mp4") => "video/mp4",
        Some("m3u8") => "application/vnd.apple.mpegurl",
        Some("ts") => "video/mp2t",
        Some("m4s") => "video/iso.segment",
        Some("jpg") => "image/jpeg",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}
