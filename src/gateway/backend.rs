//! What the gateway wants of whoever really records.

use std::collections::HashMap;
use std::future::Future;

use futures::stream::BoxStream;

use super::action::{Filter, NOT_FOUND, Order, Refusal, Start, Task};
use super::auth::{Caller, Denied};
use crate::session::describe::Described;
use crate::session::fold::Phase;
use crate::session::name::TaskId;

/// Tells, each time, that a task may stand otherwise than before; ends when the task is forgotten.
pub type Changes = BoxStream<'static, ()>;

/// How many tasks there are in each status.
pub type Census = HashMap<Phase, usize>;

/// Whoever really records. A caller sees the tasks of its namespace and no other; what one call has done shows in every
/// later one.
pub trait Backend: Send + Sync + 'static {
    /// Makes a task, and answers as soon as it will not be lost. Its name is [`Start::name`]'s; where a task with it is
    /// there already and was made by the same caller with the same ClientToken, that is the answer, else an error.
    ///
    /// # Errors
    /// The caller has as many unfinished tasks as it may ([`BackendError::Limit`]), or it cannot be made.
    fn start(&self, caller: &Caller, start: Start) -> impl Future<Output = Result<TaskId, BackendError>> + Send;

    /// Says an order to a task, where [`super::action::decide`] allows it, and answers as soon as Describe shows a stop.
    ///
    /// # Errors
    /// There is no such task, its status does not allow it, or it could not be said.
    fn tell(
        &self,
        caller: &Caller,
        task: &TaskId,
        order: Order,
    ) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// How a task stands ([`super::action::shown`]), and what was asked for.
    ///
    /// # Errors
    /// There is no such task, or it could not be asked.
    fn find(&self, caller: &Caller, task: &TaskId) -> impl Future<Output = Result<Task, BackendError>> + Send;

    /// The tasks that a filter takes, in any order.
    ///
    /// # Errors
    /// They could not be asked.
    fn list(
        &self,
        caller: &Caller,
        filter: &Filter,
    ) -> impl Future<Output = Result<Vec<Described>, BackendError>> + Send;

    /// When a task that the caller sees changes, from now on.
    fn changes(&self, caller: &Caller, task: &TaskId) -> Changes;

    /// The tasks of all callers.
    fn census(&self) -> Census;

    /// Whether it can be asked.
    ///
    /// # Errors
    /// What it still waits for, for a person.
    fn ready(&self) -> Result<(), String>;
}

/// Why a backend could not do something.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    #[error("{NOT_FOUND}")]
    NotFound,
    /// The caller has as many unfinished tasks as it may.
    #[error("{}", Denied::Limit)]
    Limit,
    /// It is not to be done, for the client's or the status's sake.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another Start had that name for its task.
    #[error("create task failed(there is a task of this id already)")]
    Taken,
    #[error("create task failed({0})")]
    Create(String),
    /// The task is there, and cannot begin.
    #[error("start record failed({0})")]
    Begin(String),
    /// Anything else: a sentence.
    #[error("{0}")]
    Internal(String),
}
