//! Building the stage, and building it again when something of it is gone.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::run::{Converge, Rolling, Why};
use super::stage::{PageLost, Stage, StageError};
use crate::recorder::browser::{BrowserError, LoadError, end_busiest_renderer};
use crate::recorder::clock::now_us;
use crate::recorder::control::RecorderError;
use crate::session::event::{DisplayKind, Failure, GapCause, RecorderEvent};

/// What was grabbed so shortly before the news of a loss may show it already, in microseconds.
const DOUBTFUL_US: i64 = 60_000;
/// The first pause before another try; it doubles.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// Builds that may fail before the recording has begun.
const FIRST_BUILDS: u32 = 2;

impl Converge {
    /// Begins to build what is missing of the stage.
    pub(super) fn build_stage(&mut self) {
        if self.building.is_some() {
            return;
        }
        self.retry_at = None;
        let plan = Arc::clone(&self.plan);
        let mut stage = std::mem::take(&mut self.stage);
        self.building = Some(tokio::spawn(async move {
            let result = stage.build(&plan).await;
            (stage, result)
        }));
    }

    pub(super) fn stage_built(&mut self, stage: Stage, result: Result<(), StageError>) -> Result<(), RecorderError> {
        self.building = None;
        self.stage = stage;
        match result {
            Ok(()) => {
                self.failed_builds = 0;
                self.stage_ready = true;
                self.set_lag();
                self.delay.restart();
                self.note_stage()
            }
            Err(error) => self.build_failed(&error),
        }
    }

    fn note_stage(&mut self) -> Result<(), RecorderError> {
        if let (Some(browser), Some(display)) = (&self.stage.browser, &self.stage.display) {
            let (version, kind) = (browser.page.version.clone(), display.kind);
            let fallback = display.fallback.clone();
            let sandboxed = self.plan.setup.sandbox;
            self.note(RecorderEvent::BrowserStarted { version, sandboxed, display: kind })?;
            if kind == DisplayKind::Xvfb
                && let Some(why) = fallback
            {
                let text = format!("recorded on Xvfb, which costs more processor time: {why}");
                self.note(RecorderEvent::Warning { text })?;
            }
        }
        self.note(RecorderEvent::PageLoaded)
    }

    fn build_failed(&mut self, error: &StageError) -> Result<(), RecorderError> {
        self.failed_builds += 1;
        let host = self.request.url.host();
        let guarded = || self.guard.as_ref()?.trouble(host);
        let reason = match error {
            // Chrome knows only that the way out did not take it.
            StageError::Load(_) => guarded().unwrap_or_else(|| format!("{host}: {error}")),
            _ => error.to_string(),
        };
        tracing::warn!(reason, attempt = self.failed_builds, "cannot show the page");
        self.note(RecorderEvent::PageFailed { reason: reason.clone() })?;
        let begun = self.folded.start_time().is_some();
        let again = is_transient(error) && self.failed_builds < FIRST_BUILDS;
        if !begun && !again {
            return self.fail(failure_of(error), reason);
        }
        self.stage.forget_after(error);
        let doubled = FIRST_RETRY.saturating_mul(1 << self.failed_builds.saturating_sub(1).min(8));
        self.retry_at = Some(Instant::now() + doubled.min(LONGEST_RETRY));
        Ok(())
    }

    /// A process of the stage is gone.
    pub(super) fn lost(&mut self, cause: GapCause) -> Result<(), RecorderError> {
        let cause = self.stuck.cause_of(cause);
        self.leave_page(cause);
        self.build_stage();
        Ok(())
    }

    /// The page is gone while Chrome lives.
    pub(super) fn page_gone(&mut self, cause: GapCause) -> Result<(), RecorderError> {
        if !self.stage_ready {
            // The load that is under way finds it out.
            return Ok(());
        }
        self.leave_page(cause);
        self.stage.page_lost = PageLost::Reload;
        self.build_stage();
        Ok(())
    }

    fn leave_page(&mut self, cause: GapCause) {
        tracing::warn!(?cause, "the page is gone, bringing it back");
        self.stage_ready = false;
        self.missing = cause;
        self.feeder.handle().forget_phase();
        if self.rolling == Rolling::Yes {
            self.cut_at_us = Some(now_us() - DOUBTFUL_US);
            self.cut(Why::Gap(cause));
        }
    }

    /// Ends the renderer of a page that is in an endless loop; its end brings the page back.
    pub(super) fn end_hung_page(&mut self) {
        if !self.stage_ready {
            return;
        }
        if let Some(browser) = &self.stage.browser {
            tracing::warn!("the page does not answer, ending its renderer");
            end_busiest_renderer(browser.child.pid());
            self.stuck.condemn(GapCause::PageHung);
        }
    }
}

/// Whether another try has a chance.
fn is_transient(error: &StageError) -> bool {
    match error {
        StageError::Load(error) => error.is_transient(),
        StageError::Browser(BrowserError::NoSandbox | BrowserError::Missing | BrowserError::Cookie { .. }) => false,
        StageError::Browser(_)
        | StageError::Capture(_)
        | StageError::Child(_)
        | StageError::Window
        | StageError::CaptureEnded => true,
        StageError::Display(_) | StageError::Sound(_) => false,
    }
}

fn failure_of(error: &StageError) -> Failure {
    match error {
        StageError::Browser(BrowserError::NoSandbox) => Failure::NoSandbox,
        StageError::Load(LoadError::Browser(_)) => Failure::Internal,
        StageError::Load(_) => Failure::PageLoad,
        _ => Failure::Internal,
    }
}
