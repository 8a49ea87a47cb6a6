//! Follows how long Chrome takes to show what the page draws. That may change while it is
//! recorded: most often when the page begins to draw or misses a refresh, which is seen, but also
//! when it catches up, which is not. So Chrome is asked then and now and then.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::run::Converge;
use crate::recorder::browser::BrowserEvent;
use crate::recorder::display::Mode;
use crate::recorder::encoder::Totals;

/// What drawing a picture and showing it takes at least, in microseconds.
const SHOWING_US: i64 = 4_000;
/// A picture that takes more is one that the page was very slow with.
const MOST_REFRESHES: i64 = 3;
/// What people are used to: one refresh of a display of 60 Hz, in microseconds.
const USUAL_US: i64 = 1_000_000 / 60;

/// When it is looked at first after the page is there: what is busy at the start is over.
const FIRST: Duration = Duration::from_secs(1);
/// The first pause between two looks; it doubles as long as nothing changes.
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(8);
/// The pause after which it is looked in any case when the page began to draw or missed a refresh.
const TURNED: Duration = Duration::from_secs(2);

/// When to look again.
pub(super) struct DelayWatch {
    /// When it was looked last.
    at: Instant,
    pause: Duration,
    /// What there had been when it was looked last; None: look in any case.
    seen: Option<Seen>,
    looking: bool,
    /// Which look is under way, or will be next.
    number: u64,
}

/// What the page has drawn so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    pictures: u64,
    /// See [`Totals::turns`].
    turns: u64,
}

impl DelayWatch {
    pub fn new() -> Self {
        Self { at: Instant::now(), pause: FIRST, seen: None, looking: false, number: 0 }
    }

    /// The page is another, or another Chrome shows it; what a look under way finds does not count.
    pub fn restart(&mut self) {
        *self = Self { number: self.number + 1, ..Self::new() };
    }

    fn is_due(&self, now: Seen) -> bool {
        let passed = self.at.elapsed();
        let turned = self.seen.is_some_and(|seen| seen.turns != now.turns) && passed >= TURNED;
        let drawn = self.seen.is_none_or(|seen| seen.pictures != now.pictures) && passed >= self.pause;
        !self.looking && (turned || drawn)
    }

    fn looked(&mut self, changed: bool) {
        self.pause = if changed { SHORTEST } else { (self.pause * 2).min(LONGEST) };
        self.at = Instant::now();
        self.looking = false;
        self.number += 1;
    }
}

impl Converge {
    pub(super) fn watch_delay(&mut self) {
        let Totals { changed: pictures, turns, .. } = self.feeder.handle().totals();
        let seen = Seen { pictures, turns };
        let (true, true, Some(browser)) = (self.stage_ready, self.delay.is_due(seen), &self.stage.browser) else {
            return;
        };
        self.delay.seen = Some(seen);
        self.delay.looking = true;
        let (number, size) = (self.delay.number, self.plan.setup.size);
        let (page, events) = (Arc::clone(&browser.page), self.plan.events.clone());
        tokio::spawn(async move {
            let delay_us = page.laid_out(size).await;
            // Nobody waits for it any more when the recording is over.
            let _ = events.send(BrowserEvent::Looked { number, delay_us });
        });
    }

    pub(super) fn delay_seen(&mut self, number: u64, delay_us: Option<i64>) {
        if number != self.delay.number {
            return;
        }
        // A page that draws nothing now has the delay that it had, when it draws again.
        let delay = if delay_us.is_some() { refreshes(delay_us, self.plan.mode) } else { self.stage.delay };
        let changed = delay != self.stage.delay;
        tracing::debug!(delay_us, changed, "looked at Chrome's delay");
        self.delay.looked(changed);
        if changed {
            self.stage.delay = delay;
            self.set_lag();
        }
    }

    /// Tells the feeder how much later pictures are seen than people are used to.
    pub(super) fn set_lag(&self) {
        self.feeder.handle().set_lag(self.stage.delay * self.plan.mode.refresh_us() - USUAL_US);
    }
}

/// How many refreshes a picture took that was shown after this time. A page that draws nothing
/// itself shows videos at most, and those take none.
pub(super) fn refreshes(delay_us: Option<i64>, mode: Mode) -> i64 {
    let refresh = mode.refresh_us();
    delay_us.map_or(0, |delay| ((delay - SHOWING_US + refresh / 2) / refresh).clamp(0, MOST_REFRESHES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_now_and_then_while_the_page_draws_and_soon_after_a_turn() {
        let seen = |pictures, turns| Seen { pictures, turns };
        let watch = |seconds, pause, seen| DelayWatch {
            at: Instant::now() - Duration::from_secs(seconds),
            pause: Duration::from_secs(pause),
            seen,
            ..DelayWatch::new()
        };
        let due = |seconds, now| watch(seconds, 8, Some(seen(100, 1))).is_due(now);
        assert!(watch(1, 1, None).is_due(seen(0, 0)));
        assert!(!due(7, seen(300, 1)));
        assert!(due(9, seen(300, 1)));
        assert!(!due(9, seen(100, 1)), "nothing was drawn");
        assert!(due(3, seen(160, 2)), "it began to draw");
        assert!(!due(1, seen(120, 2)), "that may come often");
        assert!(!DelayWatch { looking: true, ..watch(60, 8, None) }.is_due(seen(300, 2)));
    }

    #[test]
    fn delays_as_chrome_tells_them_are_whole_refreshes() {
        let at = |hz, delays: [i64; 4]| delays.map(|delay| refreshes(Some(delay), Mode::choose(1280, 720, hz)));
        assert_eq!(at(30, [3_000, 8_000, 36_000, 43_900]), [0, 0, 1, 1]);
        assert_eq!(at(30, [68_000, 74_000, 103_000, 900_000]), [2, 2, 3, 3]);
        assert_eq!(at(60, [3_000, 9_000, 20_000, 37_500]), [0, 0, 1, 2]);
        assert_eq!(refreshes(None, Mode::choose(1280, 720, 30)), 0);
    }
}
