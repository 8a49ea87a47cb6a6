//! The journals of a session as they were read: lines with their places, and how far each counts.

use std::collections::BTreeMap;

use super::event::{Entry, PublisherEvent, RecorderEvent, SeenRun};
use super::name::RunNumber;

/// One whole line of a journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Line<E> {
    pub entry: Entry<E>,
    /// Where the line ends in its journal, in bytes, its newline included.
    pub end_offset: u64,
}

/// The journal of one run, whole lines only.
#[derive(Debug, Clone, PartialEq)]
pub struct RunLog<E> {
    pub run: RunNumber,
    pub lines: Vec<Line<E>>,
}

impl<E> RunLog<E> {
    /// How many bytes of the journal are in `lines`.
    pub fn bytes(&self) -> u64 {
        self.lines.last().map_or(0, |line| line.end_offset)
    }

    fn cut_to(&mut self, bytes: u64) {
        self.lines.retain(|line| line.end_offset <= bytes);
    }
}

/// All journals of a session, the runs of each half in ascending order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    pub recorder: Vec<RunLog<RecorderEvent>>,
    pub publisher: Vec<RunLog<PublisherEvent>>,
}

impl History {
    /// Sorts the runs and leaves of each recorder run only what its successor saw of it.
    pub fn new(mut recorder: Vec<RunLog<RecorderEvent>>, mut publisher: Vec<RunLog<PublisherEvent>>) -> History {
        publisher.sort_by_key(|log| log.run);
        recorder.sort_by_key(|log| log.run);
        let mut limits = SeenLimits::default();
        // From the newest down, for a claim counts only where the claiming line itself counts.
        for log in recorder.iter_mut().rev() {
            if let Some(bytes) = limits.bytes_of(log.run) {
                log.cut_to(bytes);
            }
            if let Some(first) = log.lines.first() {
                limits.heed(log.run, first);
            }
        }
        History { recorder, publisher }
    }
}

/// How far the journals of older runs count, learned from the newest run down.
#[derive(Debug, Clone, Default)]
pub(super) struct SeenLimits(BTreeMap<RunNumber, u64>);

impl SeenLimits {
    /// How many bytes of this run's journal count; None: no newer run says, so all of it.
    pub(super) fn bytes_of(&self, run: RunNumber) -> Option<u64> {
        self.0.get(&run).copied()
    }

    /// Learns from the first lines of runs, in ascending order.
    pub(super) fn of<'a>(firsts: impl DoubleEndedIterator<Item = (RunNumber, &'a Line<RecorderEvent>)>) -> SeenLimits {
        let mut limits = SeenLimits::default();
        for (run, first) in firsts.rev() {
            if limits.bytes_of(run).is_none_or(|bytes| first.end_offset <= bytes) {
                limits.heed(run, first);
            }
        }
        limits
    }

    /// Takes in what the `first` line of a run, if it counts itself, says of older runs. The nearest
    /// successor has the last word: it went on from what it saw, and later ones from there.
    pub(super) fn heed(&mut self, of: RunNumber, first: &Line<RecorderEvent>) {
        let RecorderEvent::RunStarted { older, .. } = &first.entry.event else { return };
        for SeenRun { run, journal_bytes, .. } in older {
            if *run < of {
                self.0.insert(*run, *journal_bytes);
            }
        }
    }
}
