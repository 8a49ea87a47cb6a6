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
    last: i64,
    /// Refreshes one right after the other until the last one.
    streak: usize,
    turns: u64,
}

impl Phase {
    /// Of a display whose pictures are taken at this interval, in microseconds.
    pub fn new(interval: i64) -> Self {
        Self { interval, seen: VecDeque::new(), last: i64::MIN, streak: 0, turns: 0 }
    }

    /// Another Chrome, or another display: it has a phase of its own.
    pub fn forget(&mut self) {
        self.seen.clear();
    }

    /// Whether enough refreshes were seen to rely on.
    pub fn is_settled(&self) -> bool {
        self.seen.len() >= SETTLED
    }

    /// How often the page began to draw without a pause, or had nothing for a refresh meanwhile.
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// A refresh was seen at this time.
    pub fn see(&mut self, at: i64) {
        let step = at.saturating_sub(self.last);
        self.last = at;
        if step < self.interval * 3 / 2 {
            self.streak += 1;
            self.turns += u64::from(self.streak == REMEMBERED);
        } else {
            self.streak = 0;
        }
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
    fn a_turn_is_the_beginning_of_an_unbroken_row() {
        let mut phase = Phase::new(33_333);
        let mut see = |refreshes: &mut dyn Iterator<Item = i64>| {
            refreshes.for_each(|refresh| phase.see(refresh * 33_333 + refresh % 3 * 4_000));
            phase.turns()
        };
        assert_eq!(see(&mut (0..40)), 1);
        // One refresh is missed.
        assert_eq!(see(&mut (41..80)), 2);
        // A rest, and pictures now and then.
        assert_eq!(see(&mut (90..100)), 2);
        assert_eq!(see(&mut (0..40).map(|i| 102 + 2 * i)), 2);
    }

    #[test]
    fn without_a_refresh_the_time_itself_counts() {
        assert_eq!(Phase::new(33_333).refresh_before(77), 77);
    }
}
