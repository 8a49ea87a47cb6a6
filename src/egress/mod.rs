//! Which addresses may be reached for a recording: judged by the address really connected to, so that no name,
//! however it resolves, and no redirect leads into the cluster.
//! Used by the publisher for the callback, by the stores, and by the recorder for its page.
//! Never: knows what a connection is for.

pub mod guard;
mod policy;
mod resolve;

pub use policy::{EgressPolicy, HostPattern, Kind, Network};
pub use resolve::{EgressError, Resolver};
