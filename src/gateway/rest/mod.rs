//! Recordings as resources of plain HTTP: the objects of the Action API, at paths of their own and with statuses.
//! Called by the router. Never: knows more than the Action API does.

mod events;
mod failed;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, Request as HttpRequest, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::action::{self, Answer, Order, Refusal, Request, Task, newest_first};
use super::backend::{Backend, BackendError};
use super::follow::{Failure, Gateway};
use super::openapi;
use crate::session::describe::Described;
use crate::session::name::TaskId;
use failed::Failed;

pub(super) use events::{__path_events, events};
pub(super) use failed::RestError;

type Shared<B> = State<Arc<Gateway<B>>>;

/// The paths, without any prefix.
pub(super) fn routes<B: Backend>() -> [(&'static str, MethodRouter<Arc<Gateway<B>>>); 5] {
    [
        ("/openapi.json", get(async || openapi::document())),
        ("/v1/recordings", post(start::<B>).get(list::<B>)),
        ("/v1/recordings/{id}", get(describe::<B>)),
        ("/v1/recordings/{id}/events", get(events::<B>)),
        ("/v1/recordings/{id}/{order}", post(tell::<B>)),
    ]
}

/// What List answers.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    total: usize,
    /// The newest first.
    tasks: Vec<Described>,
}

/// Start a recording
///
/// Answered as soon as it will not be lost. With a ClientToken it can be asked again without making a second one.
#[utoipa::path(post, path = "/v1/recordings", tag = "recordings",
    request_body = ref("#/components/schemas/NewTask"),
    responses(
        (status = 201, description = "It will be recorded", body = ref("#/components/schemas/Task"),
         headers(("Location" = String, description = "Where it is found, from this path"))),
        (status = "4XX", description = "It will not", body = ref("#/components/schemas/Error")),
    ))]
pub(super) async fn start<B: Backend>(State(gateway): Shared<B>, request: HttpRequest) -> Result<Response, Failed> {
    let (head, body) = request.into_parts();
    let (caller, answer) = gateway.follow(&head, body, |body| Ok(action::read_start(body)?)).await?;
    let Answer::Done(task) = answer else { return Err(Failed::unexpected()) };
    let location = format!("recordings/{task}");
    let task = gateway.backend.find(&caller, &task).await.map_err(Failure::from)?;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(task)).into_response())
}

/// List recordings
#[utoipa::path(get, path = "/v1/recordings", tag = "recordings",
    params(
        ("Status" = inline(Option<Which>), Query, description = "By default all; `running`: all that are not finished"),
        ("StartTime" = Option<String>, Query, description = "Created then or later: UTC, as 2026-01-31 23:59:59"),
        ("EndTime" = Option<String>, Query, description = "Created then or before"),
    ),
    responses(
        (status = 200, description = "They, without what was asked for", body = ref("#/components/schemas/Listed")),
        (status = "4XX", description = "Nothing", body = ref("#/components/schemas/Error")),
    ))]
pub(super) async fn list<B: Backend>(
    State(gateway): Shared<B>,
    RawQuery(query): RawQuery,
    request: HttpRequest,
) -> Result<Json<Listed>, Failed> {
    let (head, body) = request.into_parts();
    let read = |_: &[u8]| Ok(action::read_list(&object(query.as_deref().unwrap_or_default())?)?);
    let (_, answer) = gateway.follow(&head, body, read).await?;
    let Answer::Listed(mut tasks) = answer else { return Err(Failed::unexpected()) };
    newest_first(&mut tasks);
    Ok(Json(Listed { total: tasks.len(), tasks }))
}

/// The words of List's Status, for the document.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code)]
enum Which {
    All,
    Running,
    Finished,
}

/// How a recording stands, and what was asked for
#[utoipa::path(get, path = "/v1/recordings/{id}", tag = "recordings",
    params(("id" = String, Path, description = "The TaskID")),
    responses(
        (status = 200, description = "The recording", body = ref("#/components/schemas/Task")),
        (status = "4XX", description = "Nothing", body = ref("#/components/schemas/Error")),
    ))]
pub(super) async fn describe<B: Backend>(
    State(gateway): Shared<B>,
    Path(id): Path<String>,
    request: HttpRequest,
) -> Result<Json<Task>, Failed> {
    let (head, body) = request.into_parts();
    let read = |_: &[u8]| Ok(Request::DescribeDetail { task: task(&id)? });
    match gateway.follow(&head, body, read).await? {
        (_, Answer::Detailed(task)) => Ok(Json(*task)),
        _ => Err(Failed::unexpected()),
    }
}

/// What can be said to a recording, as paths have it.
#[derive(Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum Said {
    Pause,
    Resume,
    Refresh,
    Stop,
}

impl From<Said> for Order {
    fn from(said: Said) -> Order {
        match said {
            Said::Pause => Order::Pause,
            Said::Resume => Order::Resume,
            Said::Refresh => Order::Refresh,
            Said::Stop => Order::Stop,
        }
    }
}

/// Pause a recording, resume it, load its page anew, or stop it and deliver what was recorded
#[utoipa::path(post, path = "/v1/recordings/{id}/{order}", tag = "recordings",
    params(
        ("id" = String, Path, description = "The TaskID"),
        ("order" = inline(Said), Path, description = "What is said"),
    ),
    responses(
        (status = 200, description = "It was said", body = ref("#/components/schemas/Task")),
        (status = "4XX", description = "It was not", body = ref("#/components/schemas/Error")),
    ))]
pub(super) async fn tell<B: Backend>(
    State(gateway): Shared<B>,
    Path((id, said)): Path<(String, String)>,
    request: HttpRequest,
) -> Result<Json<Task>, Failed> {
    let (head, body) = request.into_parts();
    let read = |_: &[u8]| {
        let order = Said::deserialize(StrDeserializer::<serde::de::value::Error>::new(&said));
        let order = order.map_err(|_| Refusal::parameter("an order is one of pause, resume, refresh and stop"))?;
        Ok(Request::Tell { task: task(&id)?, order: order.into() })
    };
    let (caller, answer) = gateway.follow(&head, body, read).await?;
    let Answer::Done(task) = answer else { return Err(Failed::unexpected()) };
    Ok(Json(gateway.backend.find(&caller, &task).await.map_err(Failure::from)?))
}

fn task(id: &str) -> Result<TaskId, Failure> {
    action::read_task(id).ok_or(Failure::Backend(BackendError::NotFound))
}

/// A query as the object that an action has in its place.
fn object(query: &str) -> Result<Value, Refusal> {
    let mut object = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if object.insert(name.clone().into_owned(), json!(value)).is_some() {
            let shown: String = name.chars().take(80).collect();
            return Err(Refusal::parameter(format!("the query has {shown:?} twice")));
        }
    }
    Ok(Value::Object(object))
}
