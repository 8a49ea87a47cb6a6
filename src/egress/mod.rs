//! Which addresses may be reached for a recording: judged by the address really connected to, so that no name,
//! however it resolves, and no redirect leads into the cluster.
//! Used by the publisher for the callback, by the stores, by the recorder for its page, and by whoever sets the rule.
//! Never: knows what a connection is for.

mod args;
pub mod guard;
mod policy;
mod resolve;

pub use args::EgressArgs;
pub use policy::{EgressPolicy, HostPattern, Kind, Network};
pub use resolve::{EgressError, Resolver};
