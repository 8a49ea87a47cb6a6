//! When to take a picture, so that there are never more than the frame rate. Pure.

/// Decides by time alone; times in microseconds of one clock.
#[derive(Debug)]
pub struct Pace {
    least: i64,
    last: i64,
}

impl Pace {
    /// For `frame_rate` frames a second from a display that refreshes `display_hz` times.
    ///
    /// A page draws in step with the display, but not to the microsecond: a picture may come
    /// half a refresh early. What was late does not count: a picture never waits for a time that
    /// an earlier one has set by being late, or all that follow would be late.
    pub fn new(frame_rate: u32, display_hz: u32) -> Self {
        let interval = 1_000_000 / i64::from(frame_rate);
        Self { least: interval - (500_000 / i64::from(display_hz)).min(interval / 2), last: i64::MIN }
    }

    /// The earliest time for the next picture.
    pub fn next(&self) -> i64 {
        self.last.saturating_add(self.least)
    }

    /// A picture was taken.
    pub fn taken(&mut self, now: i64) {
        self.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds changes at these times (us) and returns how many pictures were taken.
    fn taken(pace: &mut Pace, changes: impl Iterator<Item = i64>) -> usize {
        let mut count = 0;
        for at in changes {
            if at >= pace.next() {
                pace.taken(at);
                count += 1;
            }
        }
        count
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
    fn one_late_picture_does_not_make_the_next_ones_late() {
        let mut pace = Pace::new(30, 30);
        pace.taken(25_000);
        assert!(pace.next() <= 1_000_000 / 30 + 9_000);
        pace.taken(1_000_000 / 30 + 9_000);
        assert!(pace.next() <= 2_000_000 / 30);
    }
}
