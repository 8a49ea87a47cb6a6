//! Following a session from afar gives the fold of the whole history.

use proptest::prelude::*;
use proptest::sample::Index;

use panorec::session::event::RecorderEvent;
use panorec::session::fold::Folded;
use panorec::session::follow::Follower;
use panorec::session::history::{History, RunLog};
use panorec::session::stream::StreamLine;

use crate::events::any_history;
use crate::world::{play, steps};

/// All lines, as a stream gives them: the recorder's and then the publisher's, each in order.
fn lines_of(history: &History) -> Vec<StreamLine> {
    let recorder = history.recorder.iter().flat_map(|log| {
        log.lines.iter().map(|line| StreamLine::recorder(log.run, line.end_offset, line.entry.clone()))
    });
    let publisher = history.publisher.iter().flat_map(|log| {
        log.lines.iter().map(|line| StreamLine::publisher(log.run, line.end_offset, line.entry.clone()))
    });
    recorder.chain(publisher).collect()
}

fn follow(lines: impl IntoIterator<Item = StreamLine>) -> Follower {
    let mut follower = Follower::new();
    for line in lines {
        follower.push(line);
    }
    follower
}

/// Any order, and some of them more than once.
fn shuffled(lines: Vec<StreamLine>) -> impl Strategy<Value = Vec<StreamLine>> {
    let again = prop::collection::vec(any::<Index>(), 0..if lines.is_empty() { 1 } else { 20 });
    again.prop_flat_map(move |again| {
        let copies: Vec<_> = again.iter().map(|index| lines[index.index(lines.len())].clone()).collect();
        Just(lines.iter().cloned().chain(copies).collect::<Vec<_>>()).prop_shuffle()
    })
}

/// One log a run, as in a folder.
fn one_log_a_run(mut history: History) -> History {
    history.recorder.dedup_by_key(|log| log.run);
    history.publisher.dedup_by_key(|log| log.run);
    history
}

proptest! {
    #[test]
    fn lines_in_order_fold_as_the_history(history in any_history().prop_map(one_log_a_run)) {
        // The events are of any kind, so some runs say anew how much of the older ones counts.
        let whole = History::new(history.recorder.clone(), history.publisher.clone());
        let follower = follow(lines_of(&history));
        prop_assert_eq!(follower.folded(), &Folded::of(&whole));
    }

    #[test]
    fn lines_in_any_order_fold_as_the_history(
        (history, lines) in any_history().prop_map(one_log_a_run)
            .prop_flat_map(|history| { let lines = lines_of(&history); (Just(history), shuffled(lines)) })
    ) {
        let whole = History::new(history.recorder.clone(), history.publisher.clone());
        let follower = follow(lines);
        prop_assert_eq!(follower.folded(), &Folded::of(&whole));
        let mut again = follower.clone();
        for line in lines_of(&history) {
            prop_assert!(!again.push(line));
        }
        prop_assert_eq!(again.folded(), follower.folded());
    }

    #[test]
    fn a_recording_with_takeovers_is_followed(steps in steps(2_000)) {
        let (history, _) = play(&steps);
        let follower = follow(lines_of(&history));
        prop_assert_eq!(follower.folded(), &Folded::of(&history));
        for log in &history.recorder {
            prop_assert_eq!(follower.cursor().recorder.get(&log.run).copied().unwrap_or(0), log.bytes());
        }
    }
}

/// What an older run wrote after its successor looked at it counts no more, also when it has been
/// followed already.
#[test]
fn a_newer_run_cuts_what_it_did_not_see_of_an_older_one() {
    let (history, _) = play(&[
        crate::world::Step::Wait { ms: 4_000 },
        crate::world::Step::Die {
            lost_ms: 500,
            down_ms: 3_000,
            clock: crate::world::Clock { booted_ms: 5_000, skew_ms: 0 },
            lives_on: false,
        },
        crate::world::Step::Wait { ms: 2_000 },
    ]);
    let [first, second]: [RunLog<RecorderEvent>; 2] = history.recorder.clone().try_into().unwrap();
    let text = "written too late".to_owned();
    let mut entry = first.lines.last().unwrap().entry.clone();
    entry.event = RecorderEvent::Warning { text };
    let late = StreamLine::recorder(first.run, first.bytes() + 100, entry);

    let of = |log: &RunLog<RecorderEvent>| {
        let recorder = vec![log.clone()];
        lines_of(&History { recorder, publisher: Vec::new() })
    };
    let mut follower = follow(of(&first));
    follower.push(late);
    assert_eq!(follower.folded().warnings.iter().collect::<Vec<_>>(), ["written too late"]);
    for line in of(&second) {
        follower.push(line);
    }
    assert_eq!(follower.folded(), &Folded::of(&History::new(vec![first, second], Vec::new())));
    assert_eq!(follower.folded().warnings.iter().count(), 0);
}
