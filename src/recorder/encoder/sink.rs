//! What the feed decides, in the words in which it is given away.

use std::io;

use crate::recorder::capture::Picture;

/// What is shown instead of the page while a pause takes its real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filler {
    /// The last picture of the page.
    Freeze,
    Black,
}

/// A picture, as it is to be encoded.
#[derive(Debug, Clone, Copy)]
pub struct Placed<'a> {
    pub picture: &'a Picture,
    /// Place in the video, in microseconds.
    pub place_us: i64,
    pub key: bool,
    pub keep: bool,
    pub begins_part: bool,
}

/// Takes what the feed decides.
pub trait Sink {
    fn picture(&mut self, placed: Placed<'_>) -> io::Result<()>;
    /// Samples that begin at this sample index of the video.
    fn sound(&mut self, sample: i64, data: &[u8]) -> io::Result<()>;
    /// From this sample on a new part begins.
    fn boundary(&mut self, sample: i64);
}

/// Totals since the feed began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Pictures given to the encoder.
    pub pictures: u64,
    /// Of these, pictures of a changed page.
    pub changed: u64,
    /// Longest time between two of the latter while recording, in microseconds.
    pub longest_still_us: i64,
    /// How long it was black, and silent, while nothing else was shown on purpose, in microseconds.
    pub black_us: i64,
    pub silent_us: i64,
    /// How often the page began to draw without a pause, or went on after a missed refresh.
    pub turns: u64,
}
