//! Application signatures, as Tencent's API Gateway has them: who may ask for what, and how often.
//! Called by the router for each request, and by clients to sign theirs.
//! Never: keeps or says a secret beyond the keys it was given, or knows what an action means.
//!
//! Source: <https://www.tencentcloud.com/document/product/628/42189> (application authentication).

mod canonical;
mod credentials;
mod denied;
mod digest;
mod gate;
mod keys;
mod replays;
mod sign;
mod starts;
#[cfg(test)]
mod tests;
mod verify;

pub use canonical::Incoming;
pub use denied::Denied;
pub use digest::{Algorithm, UnknownAlgorithm};
pub use gate::Gate;
pub use keys::{BadKeys, Caller, Keys};
pub use replays::Replays;
pub use sign::{Outgoing, Signed, sign};
pub use verify::SKEW_SECONDS;
