//! The way of a request: its body, its signature, what it asks for, the backend.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::http::request;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::action::{Answer, Refusal, Request};
use super::auth::{Caller, Denied, Gate, Incoming};
use super::backend::{Backend, BackendError};
use super::body::{self, BadBody};
use super::metrics::Metrics;
use super::prefix::Prefix;

/// What a router is made of.
pub struct Gateway<B> {
    pub backend: Arc<B>,
    /// Who is let in; None: everybody, so it must be heard on loopback only.
    pub gate: Option<Arc<Gate>>,
    pub prefix: Prefix,
    pub metrics: Metrics,
    /// The end of serving: what is answered for as long as a client listens ends with it.
    pub end: CancellationToken,
}

/// Why nothing came of a request.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The body could not be read, so that nobody is known to have asked.
    #[error(transparent)]
    Body(#[from] BadBody),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Backend(BackendError),
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Failure {
        match error {
            BackendError::Limit => Failure::Denied(Denied::Limit),
            BackendError::Refused(refusal) => Failure::Refused(refusal),
            error => Failure::Backend(error),
        }
    }
}

impl<B: Backend> Gateway<B> {
    /// Follows a request; `read` is given the body once it is known who asks.
    pub(super) async fn follow(
        &self,
        head: &request::Parts,
        body: Body,
        read: impl FnOnce(&[u8]) -> Result<Request, Failure>,
    ) -> Result<(Caller, Answer), Failure> {
        let body = body::read(body).await;
        let began = Instant::now();
        let mut action = "none";
        let read = |body: &[u8]| read(body).inspect(|request| action = request.name());
        let followed = match body {
            Ok(body) => self.followed(head, &body, read).await,
            Err(error) => Err(error.into()),
        };
        self.metrics.answered(action, followed.as_ref().err(), began.elapsed());
        followed
    }

    async fn followed(
        &self,
        head: &request::Parts,
        body: &[u8],
        read: impl FnOnce(&[u8]) -> Result<Request, Failure>,
    ) -> Result<(Caller, Answer), Failure> {
        let caller = self.caller(head, body)?;
        let request = read(body)?;
        if let (Some(gate), Request::Start(_)) = (&self.gate, &request) {
            gate.count_start(&caller, Timestamp::now())?;
        }
        let answer = self.ask(&caller, request).await?;
        Ok((caller, answer))
    }

    fn caller(&self, head: &request::Parts, body: &[u8]) -> Result<Caller, Denied> {
        let Some(gate) = &self.gate else { return Ok(Caller::default()) };
        let request = Incoming {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query(),
            headers: &head.headers,
            body,
        };
        gate.admit(&request, &self.prefix, Timestamp::now())
    }

    async fn ask(&self, caller: &Caller, request: Request) -> Result<Answer, BackendError> {
        let backend = &self.backend;
        match request {
            Request::Start(start) => backend.start(caller, *start).await.map(Answer::Done),
            Request::Tell { task, order } => {
                backend.tell(caller, &task, order).await?;
                Ok(Answer::Done(task))
            }
            Request::Describe { task } => Ok(Answer::Described(backend.find(caller, &task).await?.described)),
            Request::DescribeDetail { task } => Ok(Answer::Detailed(Box::new(backend.find(caller, &task).await?))),
            Request::List(filter) => backend.list(caller, &filter).await.map(Answer::Listed),
        }
    }
}
