//! Times that end something.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::run::{Converge, Rolling};
use crate::egress::guard::Guard;
use crate::recorder::clock::now_us;
use crate::recorder::control::{Ended, Live, RecorderError};
use crate::session::event::{Failure, Moment, RecorderEvent};
use crate::session::fold::Folded;
use crate::session::intent::{By, IntentState};
use crate::session::request::{Request, Start};

/// How often figures are journaled, in ticks of a quarter of a second.
const FIGURES_TICKS: u64 = 40;
/// How often a newer run is looked for, in ticks.
const SUPERSEDED_TICKS: u64 = 4;
const FAR: Duration = Duration::from_secs(86_400);

/// When the recording must end.
pub(super) struct Limits {
    /// Of the wall clock, pauses and waiting included.
    longest: Instant,
    /// Until the page has called startRecord().
    start: Option<Instant>,
    start_seconds: u32,
    /// Length that the video is to have, in microseconds.
    duration_us: Option<i64>,
    /// When it will have that, on the monotonic clock in microseconds.
    duration_at_us: Option<i64>,
}

impl Limits {
    pub fn new(request: &Request, folded: &Folded) -> Self {
        let now = Instant::now();
        let age = Duration::from_micros(folded.age_us(Moment::now()));
        let left = |seconds: u32| now + Duration::from_secs(seconds.into()).saturating_sub(age);
        let waits = request.start == Start::Manual && folded.start_time().is_none();
        Self {
            longest: left(request.max_duration_seconds.get()),
            start: waits.then(|| left(request.start_timeout_seconds.get())),
            start_seconds: request.start_timeout_seconds.get(),
            duration_us: request.duration_seconds.map(|duration| duration.as_micros() as i64),
            duration_at_us: None,
        }
    }

    /// The page has given its start signal.
    pub fn started(&mut self) {
        self.start = None;
    }

    /// Video time runs from this time and place.
    pub fn recording_from(&mut self, at_us: i64, place_us: i64) {
        self.duration_at_us = self.duration_us.map(|duration| at_us + (duration - place_us).max(0));
    }

    /// Video time stands still.
    pub fn not_recording(&mut self) {
        self.duration_at_us = None;
    }
}

impl Converge {
    pub(super) fn next_limit(&self) -> Instant {
        if self.rolling == Rolling::Finishing {
            let deadline = self.encoding.as_ref().and_then(|encoding| encoding.deadline);
            return deadline.unwrap_or_else(|| Instant::now() + FAR);
        }
        let duration =
            self.limits.duration_at_us.map(|at| Instant::now() + Duration::from_micros((at - now_us()).max(0) as u64));
        let times = [Some(self.limits.longest), self.limits.start, duration, self.retry_at];
        times.into_iter().flatten().min().unwrap_or(self.limits.longest)
    }

    pub(super) fn limit_reached(&mut self) -> Result<(), RecorderError> {
        let now = Instant::now();
        if self.rolling == Rolling::Finishing {
            if let Some(encoding) = &mut self.encoding {
                tracing::error!("the encoder does not finish, ending it");
                encoding.deadline = None;
                encoding.child.kill();
            }
            return Ok(());
        }
        if self.retry_at.is_some_and(|at| now >= at) {
            self.build_stage();
        }
        if let Some(at_us) = self.limits.duration_at_us.filter(|at| now_us() >= *at) {
            self.cut_at_us = Some(at_us);
            return self.edge(By::Limit, Some(IntentState::Stopped), false, None);
        }
        if now >= self.limits.longest {
            return self.edge(By::Limit, Some(IntentState::Stopped), false, None);
        }
        if self.limits.start.is_some_and(|at| now >= at) {
            let message = format!(
                "the page did not call window.startRecord() within {} s; call it, raise --start-timeout, \
                 or leave --start manual out",
                self.limits.start_seconds
            );
            return self.fail(Failure::NoStartSignal, message);
        }
        Ok(())
    }

    pub(super) fn tick(&mut self) -> Result<(), RecorderError> {
        self.ticks += 1;
        if self.ticks.is_multiple_of(SUPERSEDED_TICKS) && self.run.is_superseded()? {
            self.ended = Some(Ended::Superseded);
            return Ok(());
        }
        if self.ticks.is_multiple_of(FIGURES_TICKS) && self.folded.start_time().is_some() {
            self.note(RecorderEvent::Figures(self.figures()))?;
        }
        for text in self.guard.as_ref().map(Guard::news).unwrap_or_default() {
            self.note(RecorderEvent::Warning { text })?;
        }
        self.end_what_is_stuck();
        self.wish_again();
        self.watch_memory();
        self.watch_delay();
        self.show();
        Ok(())
    }

    /// Shows how it goes.
    pub(super) fn show(&mut self) {
        let handle = self.feeder.handle();
        let sessions = self.child_sessions();
        let cores = self.usage.cores(&sessions);
        let live = Live {
            phase: self.folded.phase(),
            elapsed_us: self.folded.age_us(Moment::now()),
            recorded_us: handle.length_us().max(0) as u64,
            bytes: self.bytes.load(Ordering::Relaxed),
            fps: self.usage.fps(handle.totals().pictures),
            dropped: handle.dropped(),
            cores,
        };
        self.live.send_replace(live);
    }

    fn child_sessions(&self) -> Vec<i32> {
        let stage = &self.stage;
        let children = [
            stage.browser.as_ref().map(|browser| browser.child.pid()),
            stage.display.as_ref().map(|display| display.child.pid()),
            stage.sound.as_ref().map(|sound| sound.child.pid()),
            self.encoding.as_ref().map(|encoding| encoding.child.pid()),
        ];
        children.into_iter().flatten().map(nix::unistd::Pid::as_raw).collect()
    }
}
