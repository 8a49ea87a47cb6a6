//! panorec records what a web page shows and plays into one video.
//!
//! Data flows one way: `recorder` (Chrome, X, Pulse, FFmpeg) writes parts and a journal into a
//! session folder, `session` folds the journal into a state, `publisher` splices the parts and
//! packages them, `store` keeps the result. `local` runs both halves in one process, `pod` each in a
//! container of its own. `egress` says which addresses may be reached on a recording's behalf. `gateway` speaks the
//! Action API, and `client` asks one.
//! docs/ARCHITECTURE.md has the map and the invariants.

pub mod cli;
pub mod client;
mod complaint;
pub mod egress;
pub mod gateway;
pub mod janitor;
pub mod local;
pub mod media;
pub mod operator;
pub mod pod;
pub mod publisher;
pub mod recorder;
pub mod resource;
pub mod session;
pub mod store;
mod telemetry;
mod terminate;
