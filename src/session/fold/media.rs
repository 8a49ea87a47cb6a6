//! The pieces of media that a recording is made of, in order.

use std::collections::{BTreeMap, BTreeSet};

use crate::session::event::SeenRun;
use crate::session::name::{PartName, RunNumber};

/// One part and its place in the video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaPart {
    pub name: PartName,
    /// Where it begins in the video, in microseconds of recorded time.
    pub start_us: u64,
    /// Where its usable media ends in the video. None: it is the part that the newest run left
    /// open, and only reading the part can tell.
    pub end_us: Option<u64>,
}

/// The parts so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Media {
    parts: Vec<MediaPart>,
    open: Option<PartName>,
}

impl Media {
    /// All parts with something in them (or that may have something in them).
    pub(super) fn parts(&self) -> impl Iterator<Item = &MediaPart> {
        self.parts.iter().filter(|part| part.end_us.is_none_or(|end| end > part.start_us))
    }

    /// Whether the newest run has a part that is being written.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// A part begins; whatever was open ends where it begins.
    pub(super) fn open(&mut self, name: PartName, start_us: u64) {
        if let Some(before) = self.open.take() {
            self.close(before, start_us);
        }
        self.parts.push(MediaPart { name, start_us, end_us: None });
        self.open = Some(name);
    }

    /// A part ends at `end_us`.
    pub(super) fn close(&mut self, name: PartName, end_us: u64) {
        if self.open == Some(name) {
            self.open = None;
        }
        if let Some(part) = self.find(name) {
            part.end_us = Some(end_us.max(part.start_us));
        }
    }

    /// Leaves of the runs in `seen` only the parts listed there, with the ends given there.
    pub(super) fn cut_to_seen(&mut self, seen: &[&SeenRun]) {
        let runs: BTreeSet<RunNumber> = seen.iter().map(|run| run.run).collect();
        let ends: BTreeMap<PartName, u64> =
            seen.iter().flat_map(|run| &run.parts).map(|part| (part.part, part.end_video_us)).collect();
        self.parts.retain_mut(|part| {
            if let Some(end_us) = ends.get(&part.name) {
                part.end_us = Some((*end_us).max(part.start_us));
                return true;
            }
            !runs.contains(&part.name.run)
        });
        self.open = None;
    }

    /// Where the media ends in the video; None while that is not known.
    pub(super) fn end_us(&self) -> Option<u64> {
        self.parts.last().map_or(Some(0), |part| part.end_us)
    }

    /// The parts of one run.
    pub(super) fn of_run(&self, run: RunNumber) -> impl Iterator<Item = &MediaPart> {
        self.parts.iter().filter(move |part| part.name.run == run)
    }

    fn find(&mut self, name: PartName) -> Option<&mut MediaPart> {
        self.parts.iter_mut().rev().find(|part| part.name == name)
    }
}
