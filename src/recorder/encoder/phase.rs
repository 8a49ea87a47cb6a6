//! When, within a frame interval, the display shows new pictures. Pure.

use std::collections::VecDeque;

/// How many refreshes are remembered.
const REMEMBERED: usize = 15;
/// How many are enough.
const SETTLED: usize = 5;

/// The phase of the display's refreshes: Chrome keeps it for as long as it runs.
#[derive(Debug)]
pub struct Phase {
    interval: i64,
    seen: VecDeque<i64>,
}

impl Phase {
    /// Of a display whose pictures are taken at this interval, in microseconds.
    pub fn new(interval: i64) -> Self {
        Self { interval, seen: VecDeque::new() }
    }

    /// Another Chrome, or another display: it has a phase of its own.
    pub fn forget(&mut self) {
        self.seen.clear();
    }

    /// Whether enough refreshes were seen to rely on.
    pub fn is_settled(&self) -> bool {
        self.seen.len() >= SETTLED
    }

    /// A refresh was seen at this time.
    pub fn see(&mut self, at: i64) {
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(at.rem_euclid(self.interval));
    }

    /// The last refresh at this time or before it; the time itself where none was seen.
    pub fn refresh_before(&self, at: i64) -> i64 {
        // A few of them are late, so the one in the middle of the others counts.
        let middle =
            self.seen.iter().min_by_key(|one| self.seen.iter().map(|other| self.distance(**one, *other)).sum::<i64>());
        middle.map_or(at, |phase| at - (at - phase).rem_euclid(self.interval))
    }

    fn distance(&self, one: i64, other: i64) -> i64 {
        let ahead = (one - other).rem_euclid(self.interval);
        ahead.min(self.interval - ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_refreshes_do_not_move_the_phase() {
        let mut phase = Phase::new(33_333);
        for i in 0..40 {
            let late = if i % 5 == 0 { 12_000 } else { i % 3 * 300 };
            phase.see(33_333 * i + 32_900 + late);
        }
        // 100 intervals in; the refresh of the 100th came 32.9 ms after its start.
        let before = phase.refresh_before(33_333 * 101);
        assert!((before - (33_333 * 100 + 32_900)).abs() <= 700, "{before}");
    }

    #[test]
    fn without_a_refresh_the_time_itself_counts() {
        assert_eq!(Phase::new(33_333).refresh_before(77), 77);
    }
}
