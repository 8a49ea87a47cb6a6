//! The Action API: requests and answers, application signatures, and what a Start asks of a Recording.
//! Called by `panorec gateway` and `panorec serve`, each with a backend of its own, and by `panorec action`.
//! Never: records, keeps a state of its own, or answers a client with a server error.

pub mod action;
pub mod auth;
mod prefix;
mod secret;

pub use prefix::{BadPrefix, Prefix};
pub use secret::Secret;
