//! Which stretches of the monotonic clock are in the video, and where. Pure.

use std::collections::VecDeque;

/// A stretch of the clock that is recorded: `from..to` lies at `video..` in the video.
/// All in microseconds; `to` None while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    from: i64,
    to: Option<i64>,
    video: i64,
}

/// The recorded stretches in order. A pause that is cut and a gap lie between two of them and
/// take no time in the video.
#[derive(Debug, Default)]
pub struct Timeline {
    stretches: VecDeque<Stretch>,
    /// Where the video ends while nothing is recorded.
    end: i64,
}

impl Timeline {
    /// A timeline that goes on at this place in the video.
    pub fn at(video: i64) -> Self {
        Self { stretches: VecDeque::new(), end: video }
    }

    pub fn is_running(&self) -> bool {
        self.stretches.back().is_some_and(|stretch| stretch.to.is_none())
    }

    /// Recording begins (again) at this time and this place in the video.
    pub fn join_at(&mut self, at: i64, place: i64) {
        if !self.is_running() {
            self.end = place;
            self.join(at);
        }
    }

    /// Recording begins (again) at this time; the place in the video it has.
    pub fn join(&mut self, at: i64) -> i64 {
        if !self.is_running() {
            let from = self.stretches.back().and_then(|last| last.to).map_or(at, |to| at.max(to));
            self.stretches.push_back(Stretch { from, to: None, video: self.end });
        }
        self.end
    }

    /// Recording stops at this time; the place in the video it has. A time before the running
    /// stretch takes the whole of it out.
    pub fn cut(&mut self, at: i64) -> i64 {
        if let Some(stretch) = self.stretches.back_mut()
            && stretch.to.is_none()
        {
            let to = at.max(stretch.from);
            stretch.to = Some(to);
            self.end = stretch.video + (to - stretch.from);
        }
        self.end
    }

    /// The place in the video of this time, if it is recorded.
    pub fn place(&self, at: i64) -> Option<i64> {
        let stretch = self.stretches.iter().rev().find(|stretch| at >= stretch.from)?;
        let inside = stretch.to.is_none_or(|to| at < to);
        inside.then(|| stretch.video + (at - stretch.from))
    }

    /// The time at which a place of the video was recorded; the later one at a cut.
    pub fn time_of(&self, place: i64) -> Option<i64> {
        let stretch = self.stretches.iter().rev().find(|stretch| place >= stretch.video)?;
        let at = stretch.from + (place - stretch.video);
        Some(stretch.to.map_or(at, |to| at.min(to)))
    }

    /// The recorded parts of a time span, in order: `(from, to)`.
    pub fn recorded(&self, from: i64, to: i64) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.stretches.iter().filter_map(move |stretch| {
            let from = from.max(stretch.from);
            let to = stretch.to.map_or(to, |end| to.min(end));
            (from < to).then_some((from, to))
        })
    }

    /// Forgets stretches that ended before this time.
    pub fn forget_before(&mut self, at: i64) {
        while self.stretches.len() > 1 && self.stretches.front().is_some_and(|s| s.to.is_some_and(|to| to < at)) {
            self.stretches.pop_front();
        }
    }

    /// How long the video is at this time.
    pub fn length(&self, at: i64) -> i64 {
        match self.stretches.back() {
            Some(Stretch { from, to: None, video }) => video + (at - from).max(0),
            _ => self.end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_takes_no_time_in_the_video() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.join(1_000), 0);
        assert_eq!(timeline.place(1_500), Some(500));
        assert_eq!(timeline.cut(2_000), 1_000);
        assert_eq!(timeline.place(2_000), None);
        assert_eq!(timeline.join(9_000), 1_000);
        assert_eq!(timeline.place(9_250), Some(1_250));
        assert_eq!(timeline.place(1_999), Some(999));
        assert_eq!(timeline.recorded(1_500, 9_100).collect::<Vec<_>>(), [(1_500, 2_000), (9_000, 9_100)]);
    }

    #[test]
    fn a_thousand_cuts_do_not_drift() {
        let mut timeline = Timeline::at(7);
        for i in 0..1000 {
            timeline.join(i * 1000);
            timeline.cut(i * 1000 + 333);
            timeline.forget_before(i * 1000);
        }
        assert_eq!(timeline.length(0), 7 + 333_000);
        assert!(timeline.stretches.len() < 4);
    }

    #[test]
    fn a_late_cut_can_lie_in_the_past() {
        let mut timeline = Timeline::default();
        timeline.join(1_000);
        assert_eq!(timeline.cut(500), 0);
        assert!(timeline.place(1_000).is_none());
    }
}
