//! How far the finishing is.

/// What is being done, and how much of it is, in microseconds of video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub stage: Stage,
    pub done_us: i64,
    pub total_us: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// VP8 or VP9 is made into H.264.
    Transcoding,
    Packaging,
    Delivering,
}

/// Told about each half second of video at most.
const STEP_US: i64 = 500_000;

/// Tells a listener about one stage.
pub(super) struct Report<'a> {
    listener: &'a mut dyn FnMut(Progress),
    stage: Stage,
    total_us: i64,
    told_us: i64,
}

impl<'a> Report<'a> {
    pub(super) fn new(listener: &'a mut dyn FnMut(Progress), stage: Stage, total_us: i64) -> Report<'a> {
        listener(Progress { stage, done_us: 0, total_us });
        Report { listener, stage, total_us, told_us: 0 }
    }

    pub(super) fn at(&mut self, done_us: i64) {
        if done_us - self.told_us >= STEP_US {
            self.told_us = done_us;
            (self.listener)(Progress { stage: self.stage, done_us, total_us: self.total_us });
        }
    }
}
