//! Matroska and WebM: a streaming reader for anything FFmpeg or a crash leaves, and two writers.

pub mod feed;
mod head;
pub mod ids;
pub mod part;
pub mod read;
mod tracks;

pub use feed::FeedWriter;
pub use part::PartWriter;
pub use read::{MatroskaReader, ReadError};
