//! Following a session from afar: lines of its journals in, the fold out.

use std::collections::BTreeMap;

use super::event::{Entry, PublisherEvent, RecorderEvent};
use super::fold::Folded;
use super::history::{History, Line, RunLog};
use super::name::RunNumber;
use super::stream::{Cursor, StreamLine};

type Lines<E> = BTreeMap<RunNumber, BTreeMap<u64, Entry<E>>>;

/// Keeps the fold of all lines it was given. Whatever their order, and however often each came,
/// it is the same as the fold of the whole history.
#[derive(Debug, Clone, Default)]
pub struct Follower {
    recorder: Lines<RecorderEvent>,
    publisher: Lines<PublisherEvent>,
    /// The fold of the recorder's lines alone: what the publisher did comes after all of them.
    recorded: Folded,
    folded: Folded,
    cursor: Cursor,
}

impl Follower {
    pub fn new() -> Follower {
        Follower::default()
    }

    /// Takes in a line. False: it was no news.
    pub fn push(&mut self, line: StreamLine) -> bool {
        self.cursor.advance(&line);
        match line {
            StreamLine::Mark { .. } => false,
            StreamLine::Recorder(line) => self.push_recorder(line.run, line.offset, line.entry),
            StreamLine::Publisher(line) => self.push_publisher(line.run, line.offset, line.entry),
        }
    }

    /// How the recording stands.
    pub fn folded(&self) -> &Folded {
        &self.folded
    }

    /// How far each journal has been read; a stream gives the lines of a run in order.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    fn push_recorder(&mut self, run: RunNumber, offset: u64, entry: Entry<RecorderEvent>) -> bool {
        let continues = self.recorder.last_key_value().is_some_and(|(newest, lines)| {
            *newest == run && lines.last_key_value().is_some_and(|(last, _)| *last < offset)
        });
        let lines = self.recorder.entry(run).or_default();
        if lines.contains_key(&offset) {
            return false;
        }
        if continues {
            self.recorded.apply_recorder(run, &entry);
            lines.insert(offset, entry);
        } else {
            // A new run may have seen less of the older ones than we did.
            lines.insert(offset, entry);
            self.recorded = Folded::of(&History::new(logs(&self.recorder), Vec::new()));
        }
        self.fold_publisher();
        true
    }

    fn push_publisher(&mut self, run: RunNumber, offset: u64, entry: Entry<PublisherEvent>) -> bool {
        let newest = self.publisher.last_key_value();
        let continues = newest.is_none_or(|(newest, lines)| {
            *newest < run || (*newest == run && lines.last_key_value().is_none_or(|(last, _)| *last < offset))
        });
        let lines = self.publisher.entry(run).or_default();
        if lines.contains_key(&offset) {
            return false;
        }
        if continues {
            self.folded.apply_publisher(&entry);
            lines.insert(offset, entry);
        } else {
            lines.insert(offset, entry);
            self.fold_publisher();
        }
        true
    }

    fn fold_publisher(&mut self) {
        self.folded = self.recorded.clone();
        for entry in self.publisher.values().flat_map(BTreeMap::values) {
            self.folded.apply_publisher(entry);
        }
    }
}

fn logs<E: Clone>(lines: &Lines<E>) -> Vec<RunLog<E>> {
    let line = |(end_offset, entry): (&u64, &Entry<E>)| Line { entry: entry.clone(), end_offset: *end_offset };
    lines.iter().map(|(run, lines)| RunLog { run: *run, lines: lines.iter().map(line).collect() }).collect()
}
