//! The Action API: requests and answers, application signatures, and what a Start asks of a Recording.
//! Called by `panorec gateway` and `panorec serve`, each with a backend of its own, and by `panorec action`.
//! Never: records, keeps a state of its own, or answers a client with a server error.

pub mod action;
pub mod auth;
mod backend;
mod body;
mod follow;
mod kubernetes;
mod listen;
mod metrics;
pub mod openapi;
mod prefix;
mod rest;
mod router;
mod secret;
mod spec;

pub use backend::{Backend, BackendError, Census, Changes};
pub use follow::Gateway;
pub use kubernetes::GatewayArgs;
pub(crate) use kubernetes::gateway;
pub use listen::{ListenArgs, Listening};
pub use metrics::Metrics;
pub use prefix::{BadPrefix, Prefix};
pub use router::{metrics_router, router};
pub use secret::Secret;
pub use spec::{Installed, Made, from_spec, to_spec};
