//! When to take a picture, so that there are never more than the frame rate. Pure.

/// Decides by time alone; times in microseconds of one clock.
#[derive(Debug)]
pub struct Pace {
    interval: i64,
    slack: i64,
    due: i64,
}

impl Pace {
    /// For `frame_rate` frames a second from a display that refreshes `display_hz` times.
    ///
    /// A page draws in step with the display, but not to the microsecond: a picture may come
    /// half a refresh early and still be the next one.
    pub fn new(frame_rate: u32, display_hz: u32) -> Self {
        let interval = 1_000_000 / i64::from(frame_rate);
        let slack = (500_000 / i64::from(display_hz)).min(interval / 2);
        Self { interval, slack, due: i64::MIN }
    }

    /// The earliest time for the next picture.
    pub fn next(&self) -> i64 {
        self.due.saturating_sub(self.slack)
    }

    /// A picture was taken. Small deviations do not add up: the next one is due an interval
    /// after this one was due, unless the page has been still in between.
    pub fn taken(&mut self, now: i64) {
        self.due = self.due.max(now.saturating_sub(self.slack)).saturating_add(self.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds changes at these times (us) and returns how many pictures were taken.
    fn taken(pace: &mut Pace, changes: impl Iterator<Item = i64>) -> usize {
        changes.filter(|&at| at >= pace.next()).map(|at| pace.taken(at)).count()
    }

    #[test]
    fn every_refresh_of_a_jittery_display_is_taken() {
        let jitter = [0, 7_000, -6_000, 3_000, -9_000, 9_000, -2_000];
        let changes = (0..3000).map(|i: i64| i * 1_000_000 / 30 + jitter[i as usize % jitter.len()]);
        assert!(taken(&mut Pace::new(30, 30), changes) >= 2990);
    }

    #[test]
    fn a_faster_page_is_thinned_out_evenly_to_the_frame_rate() {
        let mut pace = Pace::new(10, 30);
        let mut times = Vec::new();
        for at in (0..900).map(|i: i64| i * 1_000_000 / 30) {
            if at >= pace.next() {
                pace.taken(at);
                times.push(at);
            }
        }
        assert_eq!(times.len(), 300);
        assert!(times.windows(2).all(|w| (99_000..=101_000).contains(&(w[1] - w[0]))));
    }

    #[test]
    fn after_a_still_time_there_is_no_burst() {
        let mut pace = Pace::new(30, 60);
        pace.taken(0);
        let burst = (0..60).map(|i: i64| 10_000_000 + i * 1_000_000 / 60);
        assert!((30..=32).contains(&taken(&mut pace, burst)));
    }
}
