//! How much of a session is read, at most: the recorder's half may have been written by a page
//! that broke out of its browser.

/// All journals of a half together, in bytes.
pub(super) const JOURNAL_BYTES: u64 = 64 << 20;
/// One line, in bytes. A takeover lists every part of the older runs in one line.
pub(super) const LINE_BYTES: usize = 256 << 10;
/// All events of a half.
pub(super) const EVENTS: usize = 1_000_000;
/// Runs of a half.
pub(super) const RUNS: usize = 4096;
/// Parts of a recording.
pub(super) const PARTS: usize = 4096;
/// request.json and the like, in bytes.
pub(super) const DOCUMENT_BYTES: u64 = 1 << 20;
/// A place in a video, in microseconds: a recording takes three days at most, this is ten.
pub(super) const VIDEO_US: u64 = 10 * 86_400 * 1_000_000;
/// A monotonic clock, in microseconds: 200 years of uptime.
pub(super) const MONO_US: u64 = 200 * 366 * 86_400 * 1_000_000;
/// The characters of a text.
pub(super) const TEXT_BYTES: usize = 16 << 10;
