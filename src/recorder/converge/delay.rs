//! Follows how long Chrome takes to show what the page draws. That may change while it is
//! recorded, but only when the page begins to draw or misses a refresh; then Chrome is asked.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::run::Converge;
use crate::recorder::browser::BrowserEvent;

/// When it is looked at first after the page is there: what is busy at the start is over.
const FIRST: Duration = Duration::from_secs(1);
/// The first pause between two looks; it doubles as long as nothing changes.
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(16);

/// When to look again.
pub(super) struct DelayWatch {
    not_before: Instant,
    pause: Duration,
    /// The turns there had been when it was looked last; None: look in any case.
    turns: Option<u64>,
    looking: bool,
    /// Which look is under way, or will be next.
    number: u64,
}

impl DelayWatch {
    pub fn new() -> Self {
        Self { not_before: Instant::now() + FIRST, pause: SHORTEST, turns: None, looking: false, number: 0 }
    }

    /// The page is another, or another Chrome shows it; what a look under way finds does not count.
    pub fn restart(&mut self) {
        *self = Self { number: self.number + 1, ..Self::new() };
    }

    fn is_due(&self, turns: u64) -> bool {
        !self.looking && self.turns != Some(turns) && Instant::now() >= self.not_before
    }

    fn looked(&mut self, changed: bool) {
        self.pause = if changed { SHORTEST } else { (self.pause * 2).min(LONGEST) };
        self.not_before = Instant::now() + self.pause;
        self.looking = false;
        self.number += 1;
    }
}

impl Converge {
    pub(super) fn watch_delay(&mut self) {
        let turns = self.feeder.handle().totals().turns;
        let (true, true, Some(browser)) = (self.stage_ready, self.delay.is_due(turns), &self.stage.browser) else {
            return;
        };
        self.delay.turns = Some(turns);
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
        let delay = delay_us.map_or(self.stage.delay, |delay_us| self.plan.refreshes_of(Some(delay_us)));
        let changed = delay != self.stage.delay;
        tracing::debug!(delay_us, changed, "looked at Chrome's delay");
        self.delay.looked(changed);
        if changed {
            self.stage.delay = delay;
            self.set_lag();
        }
    }

    /// Tells the feeder how much later pictures are seen than on a display of 60 Hz, where one
    /// refresh is what most pages take.
    pub(super) fn set_lag(&self) {
        self.feeder.handle().set_lag(self.settings.lag_us + (self.stage.delay - 1) * self.plan.refresh_us());
    }
}
