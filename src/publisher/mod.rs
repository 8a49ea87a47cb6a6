//! From the parts to the finished file, and that to its place: measure, splice, package, deliver.
//! Called by local (and the publisher's own process); it reads the recorder's half as hostile input.
//! Never: touches Chrome, re-encodes H.264, or gives FFmpeg a key, a credential or a protocol.

pub mod callback;
mod callback_secret;
pub mod error;
mod ffmpeg;
pub mod finish;
pub mod intermediate;
mod live;
pub mod measure;
pub mod package;
mod parameter_sets;
mod pictures;
mod place;
pub mod plan;
mod preview;
pub mod progress;
mod publish;
mod silence;
pub mod splice;
mod transcode;

pub use error::PublishError;
pub use live::{Followed, Live};
pub use measure::usable_end;
pub use place::abort_uploads;
pub use preview::preview;
pub use progress::{Progress, Stage};
pub use publish::{MadeFrom, Publication};
