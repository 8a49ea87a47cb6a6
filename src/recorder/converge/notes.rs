//! Journaling: each event is on disk before anything follows from it.

use jiff::SignedDuration;

use super::run::{Converge, Noted, Why};
use crate::egress::guard::Guard;
use crate::recorder::clock::now_us;
use crate::recorder::control::{Ended, InternalFailure, RecorderError};
use crate::recorder::converge::run::Rolling;
use crate::recorder::encoder::Filler;
use crate::session::event::{Failure, Figures, Moment, RecorderEvent};
use crate::session::intent::{By, IntentState};
use crate::session::request::PauseMode;

/// The moment of a time on the monotonic clock, in microseconds, not long ago.
fn moment_at(at_us: i64) -> Moment {
    let now = Moment::now();
    let ago = (now_us() - at_us).max(0);
    Moment {
        wall: now.wall.saturating_sub(SignedDuration::from_micros(ago)).unwrap_or(now.wall),
        mono_us: now.mono_us.saturating_sub(ago as u64),
    }
}

impl Converge {
    /// Journals what happens now.
    pub(super) fn note(&mut self, event: RecorderEvent) -> Result<(), RecorderError> {
        self.note_at(now_us(), event)
    }

    /// Journals what happened at this time of the monotonic clock.
    pub(super) fn note_at(&mut self, at_us: i64, event: RecorderEvent) -> Result<(), RecorderError> {
        tracing::debug!(?event, "journal");
        let entry = self.run.append_at(moment_at(at_us), event)?;
        self.folded.apply_recorder(self.run.number(), &entry);
        Ok(())
    }

    /// The feeder began to record, or went on, with a picture of this time.
    pub(super) fn joined(&mut self, at_us: i64, place_us: i64) -> Result<(), RecorderError> {
        self.timeline.join_at(at_us, place_us);
        let video_us = place_us.max(0) as u64;
        if let (Some(part), Some(encoding)) = (self.unnoted_part.take(), &self.encoding) {
            let video_us = encoding.base_us.max(0) as u64;
            self.note_at(at_us, RecorderEvent::PartOpened { part, video_us })?;
        }
        match self.noted {
            Noted::Paused => self.note_at(at_us, RecorderEvent::Resumed { video_us })?,
            Noted::Gap => self.note_at(at_us, RecorderEvent::GapEnded { video_us })?,
            Noted::NotBegun | Noted::Recording => {}
        }
        self.noted = Noted::Recording;
        self.limits.recording_from(at_us, place_us);
        Ok(())
    }

    /// The feeder stopped recording, for the reason that the oldest open cut has.
    pub(super) fn was_cut(&mut self, at_us: i64, place_us: i64) -> Result<(), RecorderError> {
        let Some(why) = self.cuts.pop_front() else { return Ok(()) };
        self.timeline.cut(at_us);
        self.limits.not_recording();
        let video_us = place_us.max(0) as u64;
        match (why, self.noted) {
            (Why::Pause(by), Noted::Recording) => {
                self.note_at(at_us, RecorderEvent::Paused { by, video_us, cut: true })?;
                self.noted = Noted::Paused;
            }
            (Why::Pause(by), Noted::Gap) => self.pause_in_gap(by, video_us)?,
            (Why::Gap(cause), Noted::Recording) => {
                self.note_at(at_us, RecorderEvent::GapBegan { cause, video_us })?;
                self.noted = Noted::Gap;
            }
            (Why::Pause(_) | Why::Gap(_) | Why::Finish, _) => {}
        }
        Ok(())
    }

    fn pause_in_gap(&mut self, by: By, video_us: u64) -> Result<(), RecorderError> {
        self.note(RecorderEvent::GapEnded { video_us })?;
        self.note(RecorderEvent::Paused { by, video_us, cut: true })?;
        self.noted = Noted::Paused;
        Ok(())
    }

    /// After an edge: a pause while the page is missing, and its end, have no cut to wait for.
    pub(super) fn note_edge(&mut self) -> Result<(), RecorderError> {
        let video_us = self.timeline.length(now_us()).max(0) as u64;
        let still = self.rolling == Rolling::No && self.cuts.is_empty();
        match (self.folded.intent, self.noted) {
            (IntentState::Paused, Noted::Gap) if still => self.pause_in_gap(self.wanted_by, video_us),
            (IntentState::Recording, Noted::Paused) if still && !self.stage_ready => {
                self.note(RecorderEvent::Resumed { video_us })?;
                self.note(RecorderEvent::GapBegan { cause: self.missing, video_us })?;
                self.noted = Noted::Gap;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A pause that takes its time begins.
    pub(super) fn fill(&mut self) -> Result<(), RecorderError> {
        let filler = match self.request.pause_mode {
            PauseMode::Black => Filler::Black,
            PauseMode::Cut | PauseMode::Freeze => Filler::Freeze,
        };
        let at_us = now_us();
        let video_us = self.timeline.length(at_us).max(0) as u64;
        self.note_at(at_us, RecorderEvent::Paused { by: self.wanted_by, video_us, cut: false })?;
        self.noted = Noted::Paused;
        self.feeder.handle().fill(at_us, filler);
        self.rolling = Rolling::Filled;
        Ok(())
    }

    pub(super) fn unfill(&mut self) {
        self.rolling = Rolling::Yes;
        let from = now_us();
        self.feeder.handle().unfill(from);
        self.wish_for_picture(from);
    }

    /// The page is shown again after a pause that took its time.
    pub(super) fn unfilled(&mut self, place_us: i64) -> Result<(), RecorderError> {
        self.note(RecorderEvent::Resumed { video_us: place_us.max(0) as u64 })?;
        self.noted = Noted::Recording;
        Ok(())
    }

    /// Everything is in the parts.
    pub(super) fn finished(&mut self, place_us: i64) {
        if self.folded.intent != IntentState::Stopped {
            self.ended = Some(Ended::Interrupted);
            return;
        }
        let at_us = self.timeline.time_of(place_us).unwrap_or_else(now_us);
        let figures = self.figures();
        if figures.black_us > place_us.max(0) as u64 / 2 {
            let black = std::time::Duration::from_micros(figures.black_us).as_secs_f64();
            let text = format!("the page was black for {black:.0} s of this run, more than half of the video");
            if let Err(error) = self.note(RecorderEvent::Warning { text }) {
                tracing::warn!(%error, "cannot journal a warning");
            }
        }
        if let Some(refused) = self.guard.as_ref().map(Guard::refused).filter(|refused| *refused > 0) {
            let text = format!("{refused} connections of the page were refused: they led where it may not reach");
            if let Err(error) = self.note(RecorderEvent::Warning { text }) {
                tracing::warn!(%error, "cannot journal a warning");
            }
        }
        let figures = RecorderEvent::Figures(figures);
        let stopped = RecorderEvent::Stopped { by: self.wanted_by, video_us: place_us.max(0) as u64 };
        let noted = self.note(figures).and_then(|()| self.note_at(at_us, stopped));
        if let Err(error) = noted {
            // The parts are complete and the edge is journaled: nothing is lost by this.
            tracing::warn!(%error, "cannot journal the end");
        }
        self.ended = Some(Ended::Over);
    }

    /// Nothing can go on; what was recorded is kept.
    pub(super) fn fail(&mut self, failure: Failure, message: String) -> Result<(), RecorderError> {
        tracing::error!(%message, "the recording fails");
        if failure == Failure::Internal && self.internal == InternalFailure::EndsRun {
            self.note(RecorderEvent::Failed { failure, message })?;
            self.stop_run();
            return Ok(());
        }
        self.edge(By::Recorder, Some(IntentState::Stopped), false, None)?;
        self.note(RecorderEvent::Failed { failure, message })
    }

    pub(super) fn figures(&self) -> Figures {
        let totals = self.feeder.handle().totals();
        Figures {
            frames: totals.pictures,
            dropped_frames: self.feeder.handle().dropped(),
            longest_freeze_us: totals.longest_still_us.max(0) as u64,
            black_us: totals.black_us.max(0) as u64,
            silent_us: totals.silent_us.max(0) as u64,
        }
    }
}
