//! The Recording resource of Kubernetes: its spec and status, its rules, and what a spec asks of a
//! session. Called by the operator, the gateway and `panorec crd`.
//! Never: talks to Kubernetes, or knows anything but the session.

pub mod conditions;
mod convert;
mod definition;
mod destination;
mod installation;
pub mod spec;
mod status;
mod vod;

pub use convert::{Asked, CALLBACK_FILE, HLS_KEY_FILE, LOGIN_FILE, Origin, Rejection, ask};
pub use definition::{definition, yaml};
pub use destination::{INTERMEDIATE_FILE, S3_FILE};
pub use installation::{BucketPattern, Installation, OwnCredentials, OwnStore};
pub use spec::{Recording, RecordingSpec};
pub use status::{RecorderStatus, RecordingStatus, duration_text, page_host};
pub use vod::VOD_FILE;
