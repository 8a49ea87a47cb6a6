//! From pictures and sound to parts: the timeline of what is recorded, the feed into FFmpeg, and
//! the writing of what it gives.
//! Called by converge; tells it what reached the disk and what went wrong.
//! Never: decides what is recorded, lets memory grow, or loses sound to keep up.

mod args;
mod feed;
mod feed_sound;
mod feeder;
mod lasting;
mod parts;
mod phase;
mod process;
mod sent;
mod sink;
mod slots;
mod timeline;

pub use args::Settings;
pub use feeder::{Feeder, FeederEvent, FeederHandle};
pub use parts::{Beginning, PartFiles, PartsEvent, PartsWriter};
pub use process::{Encoder, EncoderError};
pub use sent::Sent;
pub use sink::{Filler, Totals};
pub use timeline::Timeline;
