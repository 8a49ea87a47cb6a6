//! The actions: from the bytes of a request to what is asked for, and from what came of it to an answer.
//! Called by the router; backends take its types and its decisions.
//! Never: waits, reads a clock, or fails at anything that a client can send.

mod answer;
mod decide;
mod envelope;
mod fields;
mod json;
mod list;
mod output;
mod parameters;
mod refusal;
mod start;
#[cfg(test)]
mod start_tests;

pub use answer::{Answer, Task, answer, newest_first};
pub use decide::{Decision, Order, decide, shown};
pub use envelope::{Form, Request, read, read_list, read_start, read_task};
pub use list::{Filter, Which};
pub use parameters::{Cos, Headers, MediaInfo, Muxer, Output, Parameters, ProcedureInfo, StorageType, Video, Vod};
pub use refusal::{ErrorCode, Refusal};
pub use start::{BadToken, ClientToken, Start};

/// Said of a task that is not there, or not the caller's.
pub(super) const NOT_FOUND: &str = "invalid task id, task not found";
