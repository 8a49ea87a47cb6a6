//! Following a session from afar gives the fold of the whole history.

use std::collections::VecDeque;

use proptest::prelude::*;
use proptest::sample::Index;

use panorec::session::event::{Entry, RecorderEvent};
use panorec::session::fold::Folded;
use panorec::session::follow::{Follower, News};
use panorec::session::history::{History, RunLog};
use panorec::session::name::RunNumber;
use panorec::session::stream::StreamLine;

use crate::events::{Logs, any_logs};
use crate::world::{Clock, Step, play, steps};

type ToLine<E> = fn(RunNumber, u64, Entry<E>) -> StreamLine;

fn lines_of<E: Clone>(log: &RunLog<E>, line: ToLine<E>) -> Vec<StreamLine> {
    log.lines.iter().map(|one| line(log.run, one.end_offset, one.entry.clone())).collect()
}

/// The lines of each journal, as a stream gives them to one who begins: the recorder's runs, then the publisher's.
fn journals((recorder, publisher): &Logs) -> Vec<Vec<StreamLine>> {
    let recorder = recorder.iter().map(|log| lines_of(log, StreamLine::recorder));
    recorder.chain(publisher.iter().map(|log| lines_of(log, StreamLine::publisher))).collect()
}

/// Gives it these lines, and all there are from the first on where it asks for them.
fn follow(lines: &[StreamLine], all: &[StreamLine]) -> Follower {
    let mut follower = Follower::new();
    let mut left: VecDeque<&StreamLine> = lines.iter().collect();
    let mut times = 0;
    while let Some(line) = left.pop_front() {
        if follower.push(line.clone()) == News::Anew {
            follower = follower.anew();
            left = all.iter().collect();
            times += 1;
            assert!(times < 20, "it asks for them without end");
        }
    }
    follower
}

/// One log a run, in order, as in a folder.
fn as_in_a_folder((mut recorder, mut publisher): Logs) -> Logs {
    recorder.sort_by_key(|log| log.run);
    publisher.sort_by_key(|log| log.run);
    recorder.dedup_by_key(|log| log.run);
    publisher.dedup_by_key(|log| log.run);
    (recorder, publisher)
}

/// Each journal's lines in order, but the journals among each other as it happens; some lines come again later.
fn as_it_happens(journals: Vec<Vec<StreamLine>>) -> impl Strategy<Value = Vec<StreamLine>> {
    let count: usize = journals.iter().map(Vec::len).sum();
    let picks = prop::collection::vec((any::<Index>(), any::<Option<Index>>()), count);
    picks.prop_map(move |picks| {
        let mut left: Vec<VecDeque<StreamLine>> = journals.iter().cloned().map(VecDeque::from).collect();
        let mut lines: Vec<StreamLine> = Vec::new();
        for (next, again) in picks {
            left.retain(|journal| !journal.is_empty());
            let from = next.index(left.len());
            lines.extend(left[from].pop_front());
            if let Some(again) = again {
                lines.push(lines[again.index(lines.len())].clone());
            }
        }
        lines
    })
}

fn whole((recorder, publisher): Logs) -> Folded {
    Folded::of(&History::new(recorder, publisher))
}

proptest! {
    #[test]
    fn whatever_the_journals_are_they_fold_as_the_history(
        (logs, lines) in any_logs().prop_map(as_in_a_folder)
            .prop_flat_map(|logs| { let lines = as_it_happens(journals(&logs)); (Just(logs), lines) })
    ) {
        let all = journals(&logs).concat();
        for lines in [&lines, &all] {
            let follower = follow(lines, &all);
            prop_assert_eq!(follower.folded(), &whole(logs.clone()));
            let mut again = follower.clone();
            for line in &all {
                prop_assert_eq!(again.push(line.clone()), News::Old);
            }
            prop_assert_eq!(again.folded(), follower.folded());
        }
    }

    #[test]
    fn a_recording_with_takeovers_is_followed(steps in steps(2_000)) {
        let (history, _) = play(&steps);
        let all = journals(&(history.recorder.clone(), history.publisher.clone())).concat();
        let follower = follow(&all, &all);
        prop_assert_eq!(follower.folded(), &Folded::of(&history));
        for log in &history.recorder {
            prop_assert_eq!(follower.cursor().recorder.get(&log.run).copied().unwrap_or(0), log.bytes());
        }
    }
}

/// What an older run wrote after its successor looked at it counts no more, also when it has been
/// followed already; and what it goes on to write never counts.
#[test]
fn a_newer_run_cuts_what_it_did_not_see_of_an_older_one() {
    let clock = Clock { booted_ms: 5_000, skew_ms: 0 };
    let (history, _) = play(&[
        Step::Wait { ms: 4_000 },
        Step::Die { lost_ms: 500, down_ms: 3_000, clock, lives_on: false },
        Step::Wait { ms: 2_000 },
    ]);
    let [first, second]: [RunLog<RecorderEvent>; 2] = history.recorder.try_into().unwrap();
    let late = |bytes: u64| {
        let mut entry = first.lines.last().unwrap().entry.clone();
        entry.event = RecorderEvent::Warning { text: "written too late".to_owned() };
        StreamLine::recorder(first.run, first.bytes() + bytes, entry)
    };
    let warnings = |follower: &Follower| follower.folded().warnings.iter().map(str::to_owned).collect::<Vec<_>>();

    let mut follower = Follower::new();
    for line in lines_of(&first, StreamLine::recorder).into_iter().chain([late(100)]) {
        assert_eq!(follower.push(line), News::New);
    }
    assert_eq!(warnings(&follower), ["written too late"]);
    let [begins, goes_on @ ..] = &lines_of(&second, StreamLine::recorder)[..] else { panic!("an empty run") };
    assert_eq!(follower.push(begins.clone()), News::Anew);
    let mut follower = follower.anew();
    for line in lines_of(&first, StreamLine::recorder) {
        assert_eq!(follower.push(line), News::New);
    }
    assert_eq!(follower.push(late(100)), News::Old);
    for line in [begins].into_iter().chain(goes_on) {
        assert_eq!(follower.push(line.clone()), News::New);
    }
    assert_eq!(follower.push(late(200)), News::Old);
    assert_eq!(follower.folded(), &whole((vec![first.clone(), second], Vec::new())));
    assert_eq!(warnings(&follower), [""; 0]);
}
