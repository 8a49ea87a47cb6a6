//! Where every moment between the first frame and the stop went: video, a pause or a gap.
//!
//! While video runs, session time and video time are tied together at an anchor; while it stands
//! still, passing time is put down to the pause or the gap that holds it. So recorded time, cut
//! pauses and gaps add up to the wall clock by construction.

use crate::session::event::GapCause;
use crate::session::intent::By;

/// A pause, at its place in the video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Where in the video, in microseconds.
    pub at_us: u64,
    /// How long, in microseconds of session time; 0 so far for an open pause that is not cut.
    pub length_us: u64,
    pub by: By,
    /// Video time stands still during the pause; otherwise it runs on with a still picture.
    pub cut: bool,
}

/// A stretch that is missing from the video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Where in the video, in microseconds.
    pub at_us: u64,
    /// How much is missing, in microseconds of session time.
    pub lost_us: u64,
    pub cause: GapCause,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum Clock {
    /// Before the first frame.
    #[default]
    Waiting,
    /// Video place `video_us` was at session time `at_us`, and it has run since.
    Running { at_us: u64, video_us: u64 },
    /// Video stands at `video_us`; time up to `settled_us` has been put down.
    Still { settled_us: u64, video_us: u64 },
    /// The recording ended.
    Over { at_us: u64, video_us: u64 },
}

/// A hole that is open. `ending`: its cause is gone, and it lasts until a part is being written.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Open {
    since_us: u64,
    ending: bool,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Account {
    clock: Clock,
    pause: Option<Open>,
    gap: Option<Open>,
    pauses: Vec<Pause>,
    gaps: Vec<Gap>,
    first_frame_us: Option<u64>,
    writing: bool,
}

impl Account {
    /// A part began at this place in the video; the first of all is the first frame.
    pub(super) fn part_opened(&mut self, now: u64, video_us: u64) {
        self.writing = true;
        if self.clock == Clock::Waiting {
            self.first_frame_us = Some(now);
            self.clock = Clock::Still { settled_us: now, video_us };
        }
        self.run_if_nothing_holds(now, video_us);
    }

    /// No part is being written.
    pub(super) fn part_closed(&mut self) {
        self.writing = false;
    }

    pub(super) fn paused(&mut self, now: u64, video_us: u64, cut: bool, by: By) {
        match (&mut self.pause, self.clock) {
            (_, Clock::Over { .. }) => return,
            // Paused again before the video ran: the same pause goes on.
            (Some(open), _) => {
                open.ending = false;
                return;
            }
            (None, _) => {}
        }
        if cut {
            self.stand_still(now, self.not_before_anchor(video_us));
        }
        let since_us = match self.clock {
            Clock::Still { settled_us, .. } => settled_us,
            _ => now,
        };
        self.pause = Some(Open { since_us, ending: false });
        self.pauses.push(Pause { at_us: video_us, length_us: 0, by, cut });
    }

    pub(super) fn resumed(&mut self, now: u64, video_us: u64) {
        self.settle(now);
        if let Some(open) = &mut self.pause {
            open.ending = true;
        }
        if self.open_pause().is_some_and(|pause| !pause.cut) {
            self.close_pause(now);
        }
        self.run_if_nothing_holds(now, video_us);
    }

    pub(super) fn gap_began(&mut self, now: u64, video_us: u64, cause: GapCause) {
        if self.gap.is_some_and(|gap| !gap.ending) {
            return;
        }
        self.settle(now);
        self.close_gap();
        let lost_us = self.stand_still(now, video_us);
        let Clock::Still { settled_us, video_us } = self.clock else {
            return;
        };
        self.gap = Some(Open { since_us: settled_us, ending: false });
        self.gaps.push(Gap { at_us: video_us, lost_us, cause });
    }

    pub(super) fn gap_ended(&mut self, now: u64, video_us: u64) {
        self.settle(now);
        self.gap_is_ending();
        self.run_if_nothing_holds(now, video_us);
    }

    /// The session time at which the video reached `video_us`, as far as it ran there.
    pub(super) fn session_us_of(&self, video_us: u64) -> Option<u64> {
        match self.clock {
            Clock::Running { at_us, video_us: anchor } => Some(at_us.saturating_add(video_us.saturating_sub(anchor))),
            Clock::Still { settled_us, .. } => Some(settled_us),
            Clock::Over { at_us, .. } => Some(at_us),
            Clock::Waiting => None,
        }
    }

    /// The run that was recording is gone and another begins; its media ends at `media_end_us`.
    /// `last_us` is the last that was heard of it. `pause_over`: the pause it was in, if any, has
    /// been called off since.
    pub(super) fn run_lost(&mut self, last_us: u64, media_end_us: u64, pause_over: bool) {
        self.writing = false;
        if pause_over && let Some(open) = &mut self.pause {
            open.ending = true;
        }
        self.settle(last_us);
        self.gap_is_ending();
        let in_cut_pause = self.open_pause().is_some_and(|pause| pause.cut);
        match self.clock {
            Clock::Waiting | Clock::Over { .. } => return,
            Clock::Still { video_us, .. } if in_cut_pause && media_end_us >= video_us => return,
            Clock::Still { .. } | Clock::Running { .. } => {}
        }
        self.gap_began(last_us, media_end_us, GapCause::RecorderDied);
        self.gap_is_ending();
    }

    /// The recording is over, its media ends at `video_us`.
    pub(super) fn stopped(&mut self, now: u64, video_us: u64) {
        if matches!(self.clock, Clock::Over { .. }) {
            return;
        }
        self.settle(now);
        let (at_us, video_us) = match self.clock {
            Clock::Running { at_us, video_us: anchor } => {
                (at_us.saturating_add(video_us.saturating_sub(anchor)), video_us)
            }
            Clock::Still { settled_us, video_us } => (settled_us, video_us),
            Clock::Waiting | Clock::Over { .. } => (now, 0),
        };
        self.close_pause(at_us);
        self.close_gap();
        self.clock = Clock::Over { at_us, video_us };
    }

    /// The recording is over and nobody said when: it ended where its media ends.
    pub(super) fn ended_with_media(&mut self, media_end_us: Option<u64>, last_us: u64) {
        let video_us = media_end_us.unwrap_or_else(|| self.video_us(last_us));
        let now = self.session_us_of(video_us).unwrap_or(last_us);
        if let Clock::Still { video_us: stood_us, .. } = self.clock
            && video_us < stood_us
        {
            self.gap_is_ending();
            self.gap_began(now, video_us, GapCause::RecorderDied);
        }
        self.stopped(now, video_us);
    }

    /// The place in the video at a session time.
    pub(super) fn video_us(&self, now: u64) -> u64 {
        match self.clock {
            Clock::Waiting => 0,
            Clock::Running { at_us, video_us } => video_us.saturating_add(now.saturating_sub(at_us)),
            Clock::Still { video_us, .. } | Clock::Over { video_us, .. } => video_us,
        }
    }

    pub(super) fn first_frame_us(&self) -> Option<u64> {
        self.first_frame_us
    }

    /// When the recording ended, in session time.
    pub(super) fn stop_us(&self) -> Option<u64> {
        match self.clock {
            Clock::Over { at_us, .. } => Some(at_us),
            _ => None,
        }
    }

    pub(super) fn pauses(&self) -> &[Pause] {
        &self.pauses
    }

    pub(super) fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// The pause that is open, if one is.
    pub(super) fn open_pause(&self) -> Option<Pause> {
        self.pause.and(self.pauses.last().copied())
    }

    /// Stops the video at `video_us`; returns how much of what had counted as recorded before the
    /// last anchor is lost by that.
    fn stand_still(&mut self, now: u64, video_us: u64) -> u64 {
        let (settled_us, stood_us) = match self.clock {
            Clock::Running { at_us, video_us: anchor } => {
                (at_us.saturating_add(video_us.saturating_sub(anchor)), anchor)
            }
            Clock::Still { settled_us, video_us } => (settled_us.max(now), video_us),
            Clock::Waiting | Clock::Over { .. } => return 0,
        };
        let video_us = match self.clock {
            // Media cannot grow while video stands still.
            Clock::Still { .. } => video_us.min(stood_us),
            _ => video_us,
        };
        self.clock = Clock::Still { settled_us, video_us };
        // What was listed behind the new end now stands at the new end.
        for pause in self.pauses.iter_mut().rev().take_while(|item| item.at_us > video_us) {
            pause.at_us = video_us;
        }
        for gap in self.gaps.iter_mut().rev().take_while(|item| item.at_us > video_us) {
            gap.at_us = video_us;
        }
        stood_us.saturating_sub(video_us)
    }

    fn gap_is_ending(&mut self) {
        if let Some(open) = &mut self.gap {
            open.ending = true;
        }
    }

    fn not_before_anchor(&self, video_us: u64) -> u64 {
        match self.clock {
            Clock::Running { video_us: anchor, .. } => video_us.max(anchor),
            _ => video_us,
        }
    }

    /// Puts the time since the last settling down to what holds the video.
    fn settle(&mut self, now: u64) {
        let Clock::Still { settled_us, .. } = &mut self.clock else {
            return;
        };
        let passed = now.saturating_sub(*settled_us);
        *settled_us = (*settled_us).max(now);
        let pausing = self.pause.is_some_and(|pause| !pause.ending);
        let pause = self.pauses.last_mut().filter(|pause| self.pause.is_some() && pause.cut);
        let gap = self.gaps.last_mut().filter(|_| self.gap.is_some());
        match (pause, gap) {
            (Some(pause), None) => pause.length_us = pause.length_us.saturating_add(passed),
            (Some(pause), Some(_)) if pausing => {
                pause.length_us = pause.length_us.saturating_add(passed);
            }
            (_, Some(gap)) => gap.lost_us = gap.lost_us.saturating_add(passed),
            (None, None) => {}
        }
    }

    fn run_if_nothing_holds(&mut self, now: u64, video_us: u64) {
        self.settle(now);
        let Clock::Still { settled_us, .. } = self.clock else {
            return;
        };
        let pause_holds =
            self.open_pause().is_some_and(|pause| pause.cut) && self.pause.is_some_and(|pause| !pause.ending);
        let gap_holds = self.gap.is_some_and(|gap| !gap.ending);
        if pause_holds || gap_holds || !self.writing {
            return;
        }
        if self.open_pause().is_some_and(|pause| pause.cut) {
            self.close_pause(settled_us);
        }
        self.close_gap();
        self.clock = Clock::Running { at_us: settled_us, video_us };
    }

    fn close_pause(&mut self, now: u64) {
        let Some(open) = self.pause.take() else {
            return;
        };
        if let Some(pause) = self.pauses.last_mut().filter(|pause| !pause.cut) {
            pause.length_us = now.saturating_sub(open.since_us);
        }
        // One that was over before the first frame cut nothing out of the video.
        self.pauses.pop_if(|pause| pause.cut && pause.length_us == 0);
    }

    fn close_gap(&mut self) {
        if self.gap.take().is_some() {
            // A child that died and was replaced during a pause lost nothing.
            self.gaps.pop_if(|gap| gap.lost_us == 0);
        }
    }
}
