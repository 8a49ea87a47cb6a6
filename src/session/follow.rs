//! Following a session from afar: lines of its journals in, the fold out. Keeps no line that the fold needs
//! no more, so a recording of a day takes as little memory as one of a minute.

use std::cell::OnceCell;
use std::collections::{BTreeMap, btree_map};

use super::event::{Entry, PublisherEvent, RecorderEvent};
use super::fold::Folded;
use super::history::{Line, SeenLimits};
use super::name::RunNumber;
use super::stream::{Cursor, StreamLine};

/// What came of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It was known, or counts for nothing.
    Old,
    New,
    /// What was taken in before does not count, or not in that order: all lines are to be given again, from the
    /// first on, to what [`Follower::anew`] makes of this one. It happens when a new run of the recorder saw
    /// less of an older one than was followed.
    Anew,
}

/// Folds all lines that count. Given as a stream gives them (each run's in order, and read anew where it says so),
/// it comes to the fold of the whole history, however the runs lie among each other and whatever comes twice.
#[derive(Debug, Clone, Default)]
pub struct Follower {
    /// The first line of each of the recorder's runs: it says how much of the older ones counts.
    firsts: BTreeMap<RunNumber, Line<RecorderEvent>>,
    /// What follows from these.
    limits: SeenLimits,
    /// How far the lines of each run are in `recorded`.
    taken: BTreeMap<RunNumber, u64>,
    /// The fold of the recorder's lines alone: what the publisher did comes after all of them.
    recorded: Folded,
    publisher: BTreeMap<RunNumber, Vec<Entry<PublisherEvent>>>,
    /// The fold with the publisher's lines, made when it is asked for.
    folded: OnceCell<Folded>,
    cursor: Cursor,
}

impl Follower {
    pub fn new() -> Follower {
        Follower::default()
    }

    /// One that is to be given all lines from the first on, and knows already which of them count.
    pub fn anew(self) -> Follower {
        Follower { firsts: self.firsts, limits: self.limits, ..Follower::default() }
    }

    /// Takes in a line.
    pub fn push(&mut self, line: StreamLine) -> News {
        let read = match &line {
            StreamLine::Mark { .. } => return News::Old,
            StreamLine::Recorder(line) => self.cursor.recorder.get(&line.run).map(|read| (*read, line.offset)),
            StreamLine::Publisher(line) => self.cursor.publisher.get(&line.run).map(|read| (*read, line.offset)),
        };
        if read.is_some_and(|(read, offset)| offset <= read) {
            return News::Old;
        }
        self.cursor.advance(&line);
        match line {
            StreamLine::Mark { .. } => News::Old,
            StreamLine::Recorder(line) => self.push_recorder(line.run, line.offset, line.entry),
            StreamLine::Publisher(line) => {
                self.publisher.entry(line.run).or_default().push(line.entry);
                self.folded.take();
                News::New
            }
        }
    }

    /// How the recording stands.
    pub fn folded(&self) -> &Folded {
        if self.publisher.is_empty() {
            return &self.recorded;
        }
        self.folded.get_or_init(|| {
            let mut folded = self.recorded.clone();
            self.publisher.values().flatten().for_each(|entry| folded.apply_publisher(entry));
            folded
        })
    }

    /// How far each journal has been read.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    fn push_recorder(&mut self, run: RunNumber, offset: u64, entry: Entry<RecorderEvent>) -> News {
        if let btree_map::Entry::Vacant(first) = self.firsts.entry(run) {
            first.insert(Line { entry: entry.clone(), end_offset: offset });
            let limits = SeenLimits::of(self.firsts.iter().map(|(run, first)| (*run, first)));
            let before = std::mem::replace(&mut self.limits, limits);
            if self.cursor.recorder.keys().any(|run| self.is_otherwise(*run, &before)) {
                return News::Anew;
            }
        }
        if self.limits.bytes_of(run).is_some_and(|bytes| offset > bytes) {
            return News::Old;
        }
        if self.taken.last_key_value().is_some_and(|(newest, _)| *newest > run) {
            return News::Anew;
        }
        self.recorded.apply_recorder(run, &entry);
        self.taken.insert(run, offset);
        self.folded.take();
        News::New
    }

    /// Whether more was taken of a run than counts now, or less because it did not count before.
    fn is_otherwise(&self, run: RunNumber, before: &SeenLimits) -> bool {
        let bytes = |limits: &SeenLimits| limits.bytes_of(run).unwrap_or(u64::MAX);
        let taken = self.taken.get(&run).copied().unwrap_or(0);
        let read = self.cursor.recorder.get(&run).copied().unwrap_or(0);
        let (before, now) = (bytes(before), bytes(&self.limits));
        let left_out = read > taken && read > before;
        taken > now || (left_out && now > before)
    }
}
