//! The sound of a recording: a Pulse daemon of its own with a null sink, and what plays there.
//! Called by converge; gives chunks of samples, stamped with the monotonic clock, to the feed.
//! Never: shares a daemon between recordings, or joins the sink while the page plays.

mod clock;
mod daemon;
mod stream;

pub use daemon::{Sound, SoundError};
pub use stream::{CHANNELS, Chunk, SAMPLE_RATE};
