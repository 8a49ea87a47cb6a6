//! One session timeline over all runs of the recorder.

use jiff::{SignedDuration, Timestamp};

use crate::session::event::Moment;

/// Maps moments of the recorder's runs to session time: microseconds since the first event.
///
/// Inside a run the monotonic clock counts; between runs the wall clock tells how long nothing
/// ran, but never takes session time back: a replacement on a machine whose clock is behind
/// simply starts where the older run ended.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Timeline {
    created: Option<Timestamp>,
    base_us: u64,
    base_mono_us: u64,
    /// The latest event so far: session time and the wall clock that was read then.
    last_us: u64,
    last_wall: Option<Timestamp>,
    /// The latest session time anything reached; media may reach beyond the last event.
    end_us: u64,
}

impl Timeline {
    /// A run begins; returns the session time of it.
    pub(super) fn begin_run(&mut self, at: Moment) -> u64 {
        let since_last = self.last_wall.map_or(0, |last| micros_between(last, at.wall));
        self.created.get_or_insert(at.wall);
        self.base_us = self.last_us.saturating_add(since_last).max(self.end_us);
        self.base_mono_us = at.mono_us;
        self.advance(self.base_us, at.wall);
        self.base_us
    }

    /// The session time of a moment of the run that began last.
    pub(super) fn at(&mut self, at: Moment) -> u64 {
        let us = self.session_us(at.mono_us);
        self.created.get_or_insert(at.wall);
        if us >= self.last_us {
            self.advance(us, at.wall);
        }
        us
    }

    /// The session time that the monotonic clock of the newest run means.
    pub(super) fn session_us(&self, mono_us: u64) -> u64 {
        self.base_us.saturating_add(mono_us.saturating_sub(self.base_mono_us))
    }

    /// Media went on until here.
    pub(super) fn reach(&mut self, us: u64) {
        self.end_us = self.end_us.max(us);
    }

    /// The latest event so far, in session time.
    pub(super) fn last_us(&self) -> u64 {
        self.last_us
    }

    pub(super) fn created(&self) -> Option<Timestamp> {
        self.created
    }

    /// The wall clock time of a session time, on the clock that the first run started with.
    pub(super) fn wall(&self, us: u64) -> Option<Timestamp> {
        let offset = SignedDuration::from_micros(i64::try_from(us).unwrap_or(i64::MAX));
        Some(self.created?.saturating_add(offset).unwrap_or(Timestamp::MAX))
    }

    fn advance(&mut self, us: u64, wall: Timestamp) {
        self.last_us = us;
        self.last_wall = Some(wall);
        self.end_us = self.end_us.max(us);
    }
}

/// From `earlier` to `later` in microseconds; 0 where the clock went back.
fn micros_between(earlier: Timestamp, later: Timestamp) -> u64 {
    let micros = later.as_microsecond().saturating_sub(earlier.as_microsecond());
    u64::try_from(micros).unwrap_or(0)
}
