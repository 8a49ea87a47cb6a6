//! One look at what is wanted and what is, and the orders to the feed that bring them together.

use std::time::Duration;

use tokio::time::Instant;

use super::run::{Converge, Noted, Rolling, Why};
use crate::recorder::clock::now_us;
use crate::recorder::control::RecorderError;
use crate::session::intent::IntentState;
use crate::session::request::PauseMode;

/// How long the last packets may take to come out of the encoder.
const FINISH: Duration = Duration::from_secs(30);

impl Converge {
    /// One look.
    pub(super) fn steer(&mut self) -> Result<(), RecorderError> {
        if self.rolling == Rolling::Finishing {
            return Ok(());
        }
        let wanted = self.folded.intent;
        let page = self.stage_ready && self.begun;
        let encoder = self.encoding.as_ref().is_some_and(|encoding| !encoding.over);
        let cuts = self.request.pause_mode == PauseMode::Cut;
        match (self.rolling, wanted) {
            (_, IntentState::Stopped) => self.finish(),
            (Rolling::No, IntentState::Recording) if page && encoder => self.join(),
            (Rolling::Yes, IntentState::Recording) if !page => self.cut(Why::Gap(self.missing)),
            (Rolling::Yes, IntentState::Paused) if cuts || !page || self.noted != Noted::Recording => {
                self.cut(Why::Pause(self.wanted_by));
            }
            (Rolling::Yes, IntentState::Paused) => self.fill()?,
            (Rolling::Filled, IntentState::Recording) if page => self.unfill(),
            _ => {}
        }
        Ok(())
    }

    fn join(&mut self) {
        self.rolling = Rolling::Yes;
        // Nothing that the page drew before now: a picture shows what is that much older.
        let from = now_us() + (self.stage.delay + 1) * self.plan.mode.refresh_us();
        self.feeder.handle().join(from);
        self.wish_for_picture(from);
    }

    pub(super) fn cut(&mut self, why: Why) {
        let at_us = self.cut_at_us.take().unwrap_or_else(now_us);
        let finish = matches!(why, Why::Finish);
        self.cuts.push_back(why);
        self.feeder.handle().cut(at_us, finish);
        self.rolling = if finish { Rolling::Finishing } else { Rolling::No };
    }

    fn finish(&mut self) {
        match &mut self.encoding {
            Some(encoding) if !encoding.over => {
                encoding.deadline = Some(Instant::now() + FINISH);
                self.cut(Why::Finish);
            }
            _ => {
                self.rolling = Rolling::Finishing;
                let place = self.timeline.length(now_us());
                self.finished(place);
            }
        }
    }

    /// A picture to begin with that got lost on its way is wished for again: a still page gives none by
    /// itself.
    pub(super) fn wish_again(&self) {
        if self.rolling == Rolling::Yes && self.noted != Noted::Recording {
            self.wish_for_picture(now_us());
        }
    }

    pub(super) fn wish_for_picture(&self, at_us: i64) {
        if let Some(capture) = &self.stage.capture {
            capture.wish_for_picture(at_us);
        }
    }
}
