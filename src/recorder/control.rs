//! What the recorder is told while it runs, and what it shows of itself.

use crate::session::fold::Phase;
use crate::session::intent::{Intent, IntentState};

/// Something said to a running recorder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// The told intent as it stands; the recorder itself knows whether that is news.
    Told(Intent),
    /// A key on the terminal, or a signal that means the same.
    Key(Key),
    /// Close the part and leave; the recording itself is not ended and can be resumed.
    StopRun,
}

/// A wish of the person at the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Be(IntentState),
    /// Reload the page.
    Refresh,
}

/// How the recorder is doing right now.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Live {
    pub phase: Phase,
    /// Wall clock since the session was created, in microseconds.
    pub elapsed_us: u64,
    /// Recorded time, in microseconds.
    pub recorded_us: u64,
    /// Bytes in all parts.
    pub bytes: u64,
    /// Pictures a second given to the encoder lately.
    pub fps: f32,
    /// Pictures dropped since the start.
    pub dropped: u64,
    /// CPU cores busy with this recording, all its processes together.
    pub cores: f32,
}
