//! What goes into the encoder, and when: the decisions of the feed. Pure but for the sink that
//! takes what was decided.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::args::Settings;
use super::feed_sound::{SOUND_PATIENCE_US, SoundFeed};
use super::lasting::Blackness;
use super::phase::Phase;
use super::sink::{Filler, Placed, Sink, Totals};
use super::slots::Slots;
use super::timeline::Timeline;
use crate::media::grid::{AudioGrid, sample_at, us_of};
use crate::recorder::capture::{Frame, Picture};
use crate::recorder::sound::Chunk;

/// Nothing is committed before it is this old, in microseconds: when Chrome or a renderer dies,
/// what was grabbed while nobody had noticed (a sad tab, a black window) can still be left out.
pub const HOLD_US: i64 = 150_000;
/// A picture that has stood for so long counts as still, in microseconds.
const REST_US: i64 = 250_000;
/// Then repeated pictures push out what the encoder keeps back, at the frame rate or this pace.
const PUSH_US: i64 = 40_000;
/// A still picture is repeated this often, in microseconds; players want it, and key frames.
const STILL_US: i64 = 1_000_000;
/// A part is ended at the next key frame after so long, in microseconds.
const PART_US: i64 = 600_000_000;
/// How far the grid moves with each picture towards where pictures come, in microseconds. Chrome
/// counts refreshes in whole microseconds: 33,333 for the 33,333 1/3 of 30 Hz, 16,666 for those of
/// 60 Hz, so its display is up to 40 millionths too fast.
const FOLLOW_US: i64 = 2;
/// How long a start waits to see when the display is refreshed, in microseconds; a page that
/// moves shows it in this time, and with another it does not matter.
const SETTLE_US: i64 = 180_000;

/// Decides what the encoder gets. All times in microseconds of the monotonic clock, if not
/// places in the video.
pub struct Feed {
    timeline: Timeline,
    frames: VecDeque<Frame>,
    sound: SoundFeed,
    latest: Option<Arc<Picture>>,
    /// When recording was stopped last.
    cut_at: i64,
    filler: Option<Arc<Picture>>,
    /// When the last picture was committed, and when the last changed one.
    committed: i64,
    changed: i64,
    pushes_left: u32,
    last_slot: i64,
    last_place: i64,
    blackness: Blackness,
    /// When the last picture's slot begins.
    slot_at: i64,
    /// A newer picture than the last one committed found its slot taken.
    behind: bool,
    next_key: i64,
    force_key: bool,
    part_began: i64,
    boundary: Option<i64>,
    grid: AudioGrid,
    slots: Slots,
    /// How much later than the grid's own places pictures are placed: half of them come before that.
    shift: i64,
    phase: Phase,
    lag: i64,
    interval: i64,
    key_interval: i64,
    held_back: u32,
    constant: bool,
    pub totals: Totals,
}

impl Feed {
    /// A feed that goes on at this place in the video, which is a start for the encoder's grid.
    pub fn new(settings: &Settings, place_us: i64) -> Self {
        let slots = Slots::new(settings.frame_rate);
        Self {
            timeline: Timeline::at(slots.place(slots.ceil(place_us))),
            frames: VecDeque::new(),
            sound: SoundFeed::at(sample_at(place_us)),
            latest: None,
            cut_at: i64::MIN,
            filler: None,
            committed: i64::MIN,
            changed: i64::MIN,
            pushes_left: 0,
            last_slot: i64::MIN,
            last_place: i64::MIN,
            blackness: Blackness::default(),
            slot_at: i64::MIN,
            behind: false,
            next_key: i64::MIN,
            force_key: true,
            part_began: place_us,
            boundary: None,
            grid: settings.grid(),
            slots,
            shift: 0,
            phase: Phase::new(1_000_000 / i64::from(settings.frame_rate)),
            lag: 0,
            interval: 1_000_000 / i64::from(settings.frame_rate),
            key_interval: settings.key_interval_us,
            held_back: settings.held_back(),
            constant: settings.constant_frame_rate,
            totals: Totals::default(),
        }
    }

    /// A new encoder begins at this place; what is pending stays.
    pub fn restart(&mut self, place_us: i64) {
        // The sound begins at the place itself, in silence.
        self.shift = 0;
        self.timeline = Timeline::at(self.slots.place(self.slots.ceil(place_us)));
        self.sound.restart(sample_at(place_us));
        self.part_began = place_us;
        self.last_slot = i64::MIN;
        self.last_place = i64::MIN;
        self.blackness.restart();
        self.next_key = i64::MIN;
        self.force_key = true;
        self.boundary = None;
    }

    pub fn push_frame(&mut self, mut frame: Frame) {
        frame.at_us -= self.lag;
        if frame.refresh {
            self.phase.see(frame.at_us);
            self.totals.turns = self.phase.turns();
        }
        self.frames.push_back(frame);
    }

    pub fn push_chunk(&mut self, chunk: Chunk) {
        self.sound.push(chunk);
    }

    /// Recording begins or goes on with the first picture from this time on, once it is there.
    /// Gives its time and its place in the video.
    pub fn join(&mut self, from: i64, now: i64) -> Option<(i64, i64)> {
        if !self.phase.is_settled() && now < from + SETTLE_US {
            return None;
        }
        let shown = self.first_frame(from - self.lag)?;
        // It has been on the display since the last refresh. So slots and refreshes go together
        // from the start, and no picture is moved.
        let at = self.phase.refresh_before(shown);
        let at = if at > self.cut_at { at } else { shown };
        self.frames.retain(|frame| frame.at_us < at || frame.at_us >= shown);
        self.frames.iter_mut().filter(|frame| frame.at_us == shown).for_each(|frame| frame.at_us = at);
        let place = self.timeline.join(at);
        self.filler = None;
        self.force_key = true;
        self.committed = i64::MIN;
        self.changed = at;
        Some((at, place))
    }

    fn first_frame(&self, from: i64) -> Option<i64> {
        self.frames.iter().map(|frame| frame.at_us).find(|at| *at >= from)
    }

    /// Nothing is recorded from this time on, or from the end of the last whole slot before it.
    /// It must not have been committed yet. Gives the time, and its place in the video.
    pub fn cut(&mut self, at: i64) -> (i64, i64) {
        let length = self.timeline.length(at);
        let beyond = length - self.place_of(self.slots.floor(length - self.shift));
        let at = if self.timeline.is_running() { at - beyond } else { at };
        self.cut_at = at;
        (at, self.timeline.cut(at))
    }

    /// How much earlier pictures are stamped than they were taken, in microseconds; below 0: later.
    pub fn set_lag(&mut self, lag_us: i64) {
        // Those that wait were stamped with the one before.
        self.frames.iter_mut().for_each(|frame| frame.at_us += self.lag - lag_us);
        self.lag = lag_us;
        // Refreshes were seen with another one.
        self.phase.forget();
    }

    /// The display or Chrome is gone; the next one refreshes at times of its own.
    pub fn forget_phase(&mut self) {
        self.phase.forget();
    }

    /// Something else is shown from this time on, while time runs on.
    pub fn fill(&mut self, at: i64, filler: Filler) -> i64 {
        let shown = self.frames.iter().rev().find(|frame| frame.at_us <= at).map(|frame| &frame.picture);
        self.filler = match (filler, shown.or(self.latest.as_ref())) {
            (Filler::Freeze, Some(picture)) => Some(Arc::clone(picture)),
            (Filler::Black, Some(like)) => Some(Arc::new(Picture::black(like.width, like.height))),
            (_, None) => None,
        };
        if let Some(picture) = &self.filler {
            let after = self.frames.iter().position(|frame| frame.at_us > at).unwrap_or(self.frames.len());
            self.frames.insert(after, Frame { at_us: at, refresh: false, picture: Arc::clone(picture) });
        }
        self.timeline.length(at)
    }

    /// The page is shown again from the first picture from this time on, once it is there.
    pub fn unfill(&mut self, from: i64) -> Option<(i64, i64)> {
        let at = self.first_frame(from - self.lag)?;
        self.frames.retain(|frame| frame.at_us >= at);
        self.filler = None;
        Some((at, self.timeline.length(at)))
    }

    /// How long the video is at this time.
    pub fn length(&self, at: i64) -> i64 {
        self.timeline.length(at)
    }

    /// How much later than it is stamped a picture may come, in microseconds.
    pub fn lag(&self) -> i64 {
        self.lag
    }

    /// How many frames wait to be committed.
    pub fn pending(&self) -> usize {
        self.frames.len()
    }

    /// When the sound that has arrived ends.
    pub fn sound_until(&self) -> Option<i64> {
        self.sound.until()
    }

    /// Gives the sink all up to this time.
    pub fn commit(&mut self, until: i64, sink: &mut impl Sink) -> io::Result<()> {
        while let Some(at) = self.next_picture(until) {
            self.commit_picture(at, sink)?;
        }
        self.sound.commit(until, &self.timeline, self.filler.is_some(), sink)?;
        self.totals.silent_us = self.sound.silent_us();
        self.timeline.forget_before(until - 2 * SOUND_PATIENCE_US);
        Ok(())
    }

    /// Gives the sink all up to the end of what is recorded, with a last picture at the end, and
    /// pushes out what the encoder keeps back if it is to go on.
    pub fn commit_end(&mut self, end: i64, goes_on: bool, sink: &mut impl Sink) -> io::Result<()> {
        self.commit(end, sink)?;
        self.sound.commit_end(end, &self.timeline, self.filler.is_some(), sink)?;
        let place = self.timeline.length(end);
        let last = self.slots.ceil(place - self.shift) - 1;
        if last > self.last_slot && self.last_slot > i64::MIN {
            self.last_slot = last;
            self.emit(self.place_of(last), true, false, sink)?;
        }
        if goes_on {
            for push in 0..self.held_back {
                self.emit(self.last_place + 2 + i64::from(push), false, false, sink)?;
            }
            self.force_key = true;
        }
        Ok(())
    }

    /// Where the picture of a slot is placed.
    fn place_of(&self, slot: i64) -> i64 {
        self.slots.place(slot) + self.shift
    }

    /// When the next picture is to be committed, at most `until`.
    fn next_picture(&self, until: i64) -> Option<i64> {
        let fresh = self.frames.front().map(|frame| frame.at_us);
        let repeat = self.repeat_at();
        let at = match (fresh, repeat) {
            (Some(fresh), Some(repeat)) => fresh.min(repeat),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) => return None,
        };
        (at <= until).then_some(at)
    }

    /// When the last picture is to be repeated if nothing changes.
    fn repeat_at(&self) -> Option<i64> {
        if !self.timeline.is_running() || self.committed == i64::MIN {
            return None;
        }
        if self.behind && !self.constant {
            // Long enough for the next slot's own picture: if each of them only came after what
            // was too early had taken its slot, all of them would be a slot late from here on.
            return Some(self.slot_at + self.interval * 3 / 2);
        }
        let wait = if self.constant {
            self.interval
        } else if self.pushes_left == self.held_back {
            REST_US
        } else if self.pushes_left > 0 {
            PUSH_US.min(self.interval)
        } else {
            STILL_US
        };
        Some(self.committed + wait)
    }

    fn commit_picture(&mut self, at: i64, sink: &mut impl Sink) -> io::Result<()> {
        let (mut changed, mut refresh) = (false, false);
        while self.frames.front().is_some_and(|frame| frame.at_us <= at) {
            let Some(frame) = self.frames.pop_front() else { break };
            let hidden = self.filler.as_ref().is_some_and(|filler| !Arc::ptr_eq(filler, &frame.picture));
            if !hidden {
                changed = true;
                refresh = frame.refresh;
                self.latest = Some(frame.picture);
            }
        }
        let Some(place) = self.timeline.place(at) else { return Ok(()) };
        let first = self.committed == i64::MIN;
        let due = self.repeat_at().is_some_and(|repeat| at >= repeat);
        // At a constant rate a change is shown at the next tick.
        if !(first || due || (changed && !self.constant)) {
            return Ok(());
        }
        let slot = match self.last_slot {
            i64::MIN => Some(self.slots.ceil(place - self.shift)),
            last => self.slots.next(place - self.shift, last),
        };
        let Some(slot) = slot else {
            // The slot is taken; what came too early is shown in the next one.
            self.behind = true;
            if changed {
                self.pushes_left = self.held_back;
            } else {
                // Tried again an interval later.
                self.committed = at;
            }
            return Ok(());
        };
        self.behind = false;
        self.last_slot = slot;
        if refresh && !due && !self.constant {
            self.shift += FOLLOW_US * (place - self.place_of(slot)).signum();
        }
        let from = place;
        let place = self.place_of(slot);
        self.slot_at = at + place - from;
        self.pushes_left = if changed { self.held_back } else { self.pushes_left.saturating_sub(1) };
        if changed {
            self.totals.longest_still_us = self.totals.longest_still_us.max(at - self.changed);
            self.totals.changed += 1;
            self.changed = at;
        }
        self.committed = at;
        self.plan_boundary(place, sink);
        if let Some(boundary) = self.boundary
            && place >= us_of(boundary)
        {
            self.boundary = None;
            self.part_began = us_of(boundary);
            self.force_key = true;
            return self.emit(place, true, true, sink);
        }
        self.emit(place, true, false, sink)
    }

    /// Two seconds ahead, so that nothing of the new part has been fed yet.
    fn plan_boundary(&mut self, place: i64, sink: &mut impl Sink) {
        if self.boundary.is_none() && place - self.part_began >= PART_US {
            let boundary = self.grid.start_for(sample_at(place + 2 * STILL_US));
            // A part that goes on with the same encoder has no priming of its own.
            let boundary = boundary - self.grid.preskip();
            self.boundary = Some(boundary);
            sink.boundary(boundary);
        }
    }

    fn emit(&mut self, place: i64, keep: bool, begins_part: bool, sink: &mut impl Sink) -> io::Result<()> {
        let Some(picture) = self.latest.clone() else { return Ok(()) };
        // Strictly rising, and even: the odd microsecond is the mark of a key frame.
        let place_us = place.max(self.last_place.saturating_add(2));
        let key = keep && (self.force_key || place_us >= self.next_key);
        if key {
            self.next_key = place_us + self.key_interval;
            self.force_key = false;
        }
        self.last_place = place_us;
        self.totals.pictures += u64::from(keep);
        if keep {
            self.blackness.see(&picture, place_us, self.filler.is_some());
            self.totals.black_us = self.blackness.total_us();
        }
        sink.picture(Placed { picture: &picture, place_us, key, keep, begins_part })
    }
}

#[cfg(test)]
mod tests;
