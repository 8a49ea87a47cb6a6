//! One recording's status as it changes, for as long as a client listens: server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request as HttpRequest, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use prometheus_client::metrics::gauge::Gauge;

use super::failed::Failed;
use super::{Shared, task};
use crate::gateway::action::{Answer, Request};
use crate::gateway::auth::Caller;
use crate::gateway::backend::{Backend, BackendError, Changes};
use crate::gateway::follow::Gateway;
use crate::session::describe::Described;
use crate::session::fold::Phase;
use crate::session::name::TaskId;

/// A connection on which nothing is said for so long is closed by many a proxy after twice or four times as much.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Follow a recording
///
/// Server-sent events: `status` with Describe's object as it stands, and again with each change; the last one has the
/// Status `finished`, or is `gone` where the recording was deleted. A client that was cut off asks again, and begins
/// with how it stands then.
#[utoipa::path(get, path = "/v1/recordings/{id}/events", tag = "recordings",
    params(("id" = String, Path, description = "The TaskID")),
    responses(
        (status = 200, description = "Events until it is finished", content_type = "text/event-stream", body = String),
        (status = "4XX", description = "Nothing", body = ref("#/components/schemas/Error")),
    ))]
pub(in crate::gateway) async fn events<B: Backend>(
    State(gateway): Shared<B>,
    Path(id): Path<String>,
    request: HttpRequest,
) -> Result<Response, Failed> {
    let (head, body) = request.into_parts();
    let (caller, answer) = gateway.follow(&head, body, |_| Ok(Request::Describe { task: task(&id)? })).await?;
    let Answer::Described(described) = answer else { return Err(Failed::unexpected()) };
    let events = follow(gateway, caller, described.task_id);
    let sign_of_life = KeepAlive::new().interval(SIGN_OF_LIFE);
    // nginx would keep them back until there are more.
    Ok(([("x-accel-buffering", "no")], Sse::new(events).keep_alive(sign_of_life)).into_response())
}

/// A client that listens.
struct Following<B> {
    gateway: Arc<Gateway<B>>,
    caller: Caller,
    task: TaskId,
    changes: Changes,
    told: Option<Described>,
    is_over: bool,
    _counted: Counted,
}

fn follow<B: Backend>(
    gateway: Arc<Gateway<B>>,
    caller: Caller,
    task: TaskId,
) -> impl Stream<Item = Result<Event, Infallible>> {
    // What changes between this and the first look is looked at twice.
    let changes = gateway.backend.changes(&caller, &task);
    let counted = Counted::new(&gateway.metrics.event_streams);
    let following = Following { gateway, caller, task, changes, told: None, is_over: false, _counted: counted };
    stream::unfold(following, |mut following| async move {
        let event = following.next().await?;
        Some((Ok(event), following))
    })
}

impl<B: Backend> Following<B> {
    /// None: there is no more, or this gateway ends.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.is_over {
                return None;
            }
            match self.gateway.backend.find(&self.caller, &self.task).await {
                Ok(found) if self.told.as_ref() != Some(&found.described) => {
                    self.is_over = found.described.status == Phase::Finished;
                    let event = Event::default().event("status").json_data(&found.described).ok();
                    self.told = Some(found.described);
                    return event;
                }
                Ok(_) => {}
                Err(BackendError::NotFound) => {
                    self.is_over = true;
                    return Some(Event::default().event("gone").data("{}"));
                }
                Err(error) => {
                    tracing::warn!(%error, task = %self.task, "a client that follows a task is cut off");
                    return None;
                }
            }
            tokio::select! {
                _ = self.changes.next() => {}
                () = self.gateway.end.cancelled() => return None,
            }
        }
    }
}

/// Counts for as long as it lives.
struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Counted {
        gauge.inc();
        Counted(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
