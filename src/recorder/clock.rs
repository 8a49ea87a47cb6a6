//! The one clock of a recording: CLOCK_MONOTONIC in microseconds.

use nix::time::{ClockId, clock_gettime};

/// Now, in microseconds of the monotonic clock.
pub fn now_us() -> i64 {
    // The clock exists on every Linux, so there is nothing to report.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |t| t.tv_sec() * 1_000_000 + t.tv_nsec() / 1_000)
}
