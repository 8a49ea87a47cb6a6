//! The fold: all that is known of a recording, derived from its events and from nothing else.
//! Called by every part of panorec that asks how a recording stands; there is no second state.
//! Never: reads a clock or a file, fails, or panics, whatever the events say.

mod account;
mod media;
mod phase;
mod publish;
mod timeline;
mod warnings;

use jiff::{SignedDuration, Timestamp};

use account::Account;
use media::Media;
use timeline::Timeline;

pub use account::{Gap, Pause};
pub use media::MediaPart;
pub use phase::Phase;
pub use publish::{CallbackTry, Published};
pub use warnings::Warnings;

use super::event::{DisplayKind, Entry, Failure, Figures, Moment, PublisherEvent, RecorderEvent, SeenPart, SeenRun};
use super::history::History;
use super::intent::{Intent, IntentState};
use super::name::RunNumber;

/// A stop may be said by a clock that is so far ahead of the recorder's; what is further ahead is a mistake.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);

/// The browser of the newest run that started one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Browser {
    pub version: String,
    pub sandboxed: bool,
    pub display: DisplayKind,
}

/// Why the recording ended without, or before, what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    pub failure: Failure,
    pub message: String,
}

/// Reloads of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Refreshes {
    pub asked: u64,
    pub done: u64,
}

/// What is known of a recording.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Folded {
    /// The state wanted, whoever wanted it last.
    pub intent: IntentState,
    /// The last told intent; what is told next is news or not against this one.
    pub told: Intent,
    pub refreshes: Refreshes,
    pub failure: Option<Failed>,
    pub browser: Option<Browser>,
    /// How many runs the recorder has had.
    pub runs: u32,
    /// The newest run of the recorder.
    pub run: Option<RunNumber>,
    pub warnings: Warnings,
    pub published: Published,
    phase: Phase,
    cancel_us: Option<u64>,
    /// When it was told to stop, as whoever told it says.
    cancel_said: Option<Timestamp>,
    timeline: Timeline,
    account: Account,
    media: Media,
    older_figures: Figures,
    run_figures: Figures,
    run_loaded: bool,
    settled_runs: RunNumber,
    over: bool,
}

impl Folded {
    /// Folds the recorder's runs in order, then the publisher's.
    pub fn of(history: &History) -> Folded {
        let mut folded = Folded::default();
        for log in &history.recorder {
            for line in &log.lines {
                folded.apply_recorder(log.run, &line.entry);
            }
        }
        for log in &history.publisher {
            for line in &log.lines {
                folded.apply_publisher(&line.entry);
            }
        }
        folded
    }

    /// Takes in the next event of the recorder.
    pub fn apply_recorder(&mut self, run: RunNumber, entry: &Entry<RecorderEvent>) {
        if let RecorderEvent::RunStarted { older, .. } = &entry.event {
            self.begin_run(run, entry.at, older);
            return;
        }
        let now = self.timeline.at(entry.at);
        match &entry.event {
            RecorderEvent::RunStarted { .. } => {}
            RecorderEvent::BrowserStarted { version, sandboxed, display } => {
                self.browser =
                    Some(Browser { version: warnings::shortened(version), sandboxed: *sandboxed, display: *display });
            }
            RecorderEvent::PageLoaded => {
                // What was asked for while no run lived is fulfilled by the new load.
                if !std::mem::replace(&mut self.run_loaded, true) {
                    self.refreshes.done = self.refreshes.asked;
                }
            }
            RecorderEvent::PageFailed { reason } => {
                self.warnings.push(&format!("the page failed to load: {reason}"));
            }
            RecorderEvent::Edge { state, reload, told, .. } => {
                self.edge(now, *state, *reload, told.as_ref());
            }
            RecorderEvent::PartOpened { part, video_us } => {
                if part.run == run {
                    self.media.open(*part, *video_us);
                    self.account.part_opened(now, *video_us);
                }
                self.advance_by_intent();
            }
            RecorderEvent::PartClosed { part, end_video_us } => {
                if part.run == run {
                    self.media.close(*part, *end_video_us);
                }
                if !self.media.is_open() {
                    self.account.part_closed();
                }
            }
            RecorderEvent::Paused { by, video_us, cut } => {
                self.account.paused(now, *video_us, *cut, *by);
            }
            RecorderEvent::Resumed { video_us } => self.account.resumed(now, *video_us),
            RecorderEvent::GapBegan { cause, video_us } => {
                self.account.gap_began(now, *video_us, *cause);
            }
            RecorderEvent::GapEnded { video_us } => self.account.gap_ended(now, *video_us),
            RecorderEvent::Refreshed => {
                self.refreshes.done = (self.refreshes.done + 1).min(self.refreshes.asked);
            }
            RecorderEvent::Figures(figures) => self.run_figures = *figures,
            RecorderEvent::Warning { text } => self.warnings.push(text),
            RecorderEvent::Stopped { video_us, .. } => {
                self.over = true;
                self.account.stopped(now, *video_us);
                self.cancel(self.account.stop_us().unwrap_or(now));
            }
            RecorderEvent::Failed { failure, message } => self.fail(now, *failure, message),
        }
    }

    /// Takes in the next event of the publisher.
    pub fn apply_publisher(&mut self, entry: &Entry<PublisherEvent>) {
        match &entry.event {
            PublisherEvent::Warning { text } => self.warnings.push(text),
            PublisherEvent::MediaMeasured { part, end_video_us } => {
                self.media.close(*part, *end_video_us);
            }
            _ => {}
        }
        if let Some(phase) = self.published.apply(entry.at, &entry.event) {
            // A recorder that is gone for good never said that it stopped.
            self.account.ended_with_media(self.media.end_us(), self.timeline.last_us());
            self.phase = self.phase.advanced_to(phase);
        }
    }

    fn begin_run(&mut self, run: RunNumber, at: Moment, older: &[SeenRun]) {
        let news: Vec<&SeenRun> = older.iter().filter(|seen| seen.run > self.settled_runs && seen.run < run).collect();
        self.media.cut_to_seen(&news);
        self.settled_runs = news.iter().map(|seen| seen.run).fold(self.settled_runs, RunNumber::max);

        let last_us = self.timeline.last_us();
        let media_end_us = self.media.end_us();
        if self.intent == IntentState::Stopped {
            self.account.ended_with_media(media_end_us, last_us);
        } else {
            let media_end_us = media_end_us.unwrap_or_else(|| self.account.video_us(last_us));
            self.timeline.reach(self.account.session_us_of(media_end_us).unwrap_or(0));
            let pause_over = self.intent == IntentState::Recording;
            self.account.run_lost(last_us, media_end_us, pause_over);
        }
        self.timeline.begin_run(at);

        if self.failure.as_ref().is_some_and(|failed| !ends_recording(failed.failure))
            && let Some(failed) = self.failure.take()
        {
            self.warnings.push(&format!("an earlier run of the recorder failed: {}", failed.message));
        }
        self.older_figures = self.figures();
        self.run_figures = Figures::default();
        self.run_loaded = false;
        self.runs = self.runs.saturating_add(1);
        self.run = Some(run);
    }

    fn edge(&mut self, now: u64, state: Option<IntentState>, reload: bool, told: Option<&Intent>) {
        if let Some(told) = told {
            self.told = told.clone();
        }
        if self.intent == IntentState::Stopped {
            return;
        }
        if reload {
            self.refreshes.asked = self.refreshes.asked.saturating_add(1);
        }
        match state {
            Some(IntentState::Stopped) => {
                self.cancel_said = told.and_then(|told| told.at);
                self.cancel(now);
            }
            Some(state) => {
                self.intent = state;
                self.advance_by_intent();
            }
            None => {}
        }
    }

    /// Recording or paused, as is wanted, unless nothing has begun yet.
    fn advance_by_intent(&mut self) {
        let begun = self.account.first_frame_us().is_some() || self.phase != Phase::Normal;
        let phase = match self.intent {
            IntentState::Paused => Phase::Paused,
            IntentState::Recording if begun => Phase::Recording,
            IntentState::Recording | IntentState::Stopped => return,
        };
        self.phase = self.phase.advanced_to(phase);
    }

    fn cancel(&mut self, now: u64) {
        self.intent = IntentState::Stopped;
        self.cancel_us.get_or_insert(now);
        self.phase = self.phase.advanced_to(Phase::Canceled);
    }

    fn fail(&mut self, now: u64, failure: Failure, message: &str) {
        self.failure = Some(Failed { failure, message: warnings::shortened(message) });
        if ends_recording(failure) {
            self.cancel(now);
        }
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// When the first run began.
    pub fn create_time(&self) -> Option<Timestamp> {
        self.timeline.created()
    }

    /// When the first frame was recorded.
    pub fn start_time(&self) -> Option<Timestamp> {
        self.timeline.wall(self.account.first_frame_us()?)
    }

    /// When the recording was told to stop, by whomever: what is shown before the recorder knows of it stays.
    pub fn cancel_time(&self) -> Option<Timestamp> {
        let journaled = self.timeline.wall(self.cancel_us?)?;
        let is_possible = |said: &Timestamp| said.duration_since(journaled) <= AHEAD;
        Some(self.cancel_said.filter(is_possible).unwrap_or(journaled))
    }

    /// When the recording ended: its last picture may be a moment older than the stop that ended it.
    pub fn stop_time(&self) -> Option<Timestamp> {
        let stop_us = self.account.stop_us()?;
        let stop = self.timeline.wall(stop_us.max(self.cancel_us.unwrap_or(0)))?;
        Some(self.cancel_time().map_or(stop, |cancel| stop.max(cancel)))
    }

    /// When the files were delivered, or when it was clear that they will not be.
    pub fn finish_time(&self) -> Option<Timestamp> {
        let finish = self.published.finish_time?;
        Some(self.stop_time().map_or(finish, |stop| stop.max(finish)))
    }

    /// How long the recording has existed at `now`, in microseconds; `now` is of the newest run.
    pub fn age_us(&self, now: Moment) -> u64 {
        match self.timeline.created() {
            Some(_) => self.timeline.session_us(now.mono_us),
            None => 0,
        }
    }

    /// Recorded time up to the last event, in microseconds: where the video ends.
    pub fn recorded_us(&self) -> u64 {
        self.account.video_us(self.timeline.last_us())
    }

    /// From the first frame to the stop, in microseconds.
    pub fn wall_us(&self) -> Option<u64> {
        let start = self.account.first_frame_us()?;
        Some(self.account.stop_us()?.saturating_sub(start))
    }

    /// The pieces of media, in order.
    pub fn parts(&self) -> impl Iterator<Item = &MediaPart> {
        self.media.parts()
    }

    /// The part whose end only reading it can tell.
    pub fn unmeasured_part(&self) -> Option<MediaPart> {
        self.parts().find(|part| part.end_us.is_none()).copied()
    }

    /// Every pause, in order.
    pub fn pauses(&self) -> &[Pause] {
        self.account.pauses()
    }

    /// Every gap, in order.
    pub fn gaps(&self) -> &[Gap] {
        self.account.gaps()
    }

    /// The pause that has begun and not ended.
    pub fn open_pause(&self) -> Option<Pause> {
        self.account.open_pause()
    }

    /// Figures over all runs.
    pub fn figures(&self) -> Figures {
        let (older, newest) = (self.older_figures, self.run_figures);
        Figures {
            frames: older.frames.saturating_add(newest.frames),
            dropped_frames: older.dropped_frames.saturating_add(newest.dropped_frames),
            longest_freeze_us: older.longest_freeze_us.max(newest.longest_freeze_us),
            black_us: older.black_us.saturating_add(newest.black_us),
            silent_us: older.silent_us.saturating_add(newest.silent_us),
        }
    }

    /// The recorder has said that nothing more comes of it.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Capture is over: told to stop, or failed in a way that another run cannot mend.
    pub fn is_stopped(&self) -> bool {
        self.phase.rank() >= Phase::Canceled.rank()
    }

    /// What a new run says of the older runs in `history`, which this is the fold of. `measure`
    /// reads a part that was left open and says where it ends in the video; None: nothing usable.
    pub fn seen_runs(&self, history: &History, mut measure: impl FnMut(MediaPart) -> Option<u64>) -> Vec<SeenRun> {
        let seen_part = |part: &MediaPart| {
            let end_video_us = part.end_us.or_else(|| measure(*part))?;
            Some(SeenPart { part: part.name, end_video_us })
        };
        let mut seen_part = seen_part;
        history
            .recorder
            .iter()
            .map(|log| SeenRun {
                run: log.run,
                journal_bytes: log.bytes(),
                parts: self.media.of_run(log.run).filter_map(&mut seen_part).collect(),
            })
            .collect()
    }
}

/// Whether nothing can be recorded after this; otherwise another run may go on.
fn ends_recording(failure: Failure) -> bool {
    match failure {
        Failure::PageLoad | Failure::NoStartSignal | Failure::DiskFull => true,
        Failure::NoSandbox | Failure::Internal => false,
    }
}
