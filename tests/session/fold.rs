//! What the fold promises.

use proptest::prelude::*;

use panorec::session::event::{Entry, RecorderEvent};
use panorec::session::exit::ExitCode;
use panorec::session::fold::{Folded, Phase};
use panorec::session::history::History;
use panorec::session::name::{RunNumber, TaskId};
use panorec::session::status::{Items, Report, Status};

use crate::events::{any_history, any_publisher_entry, any_recorder_entry};
use crate::world::{Step, play, play_unfinished, steps};

/// Every event of a history in the order that the fold takes them.
fn fold_step_by_step(history: &History, mut look: impl FnMut(&Folded)) -> Folded {
    let mut folded = Folded::default();
    for log in &history.recorder {
        for line in &log.lines {
            folded.apply_recorder(log.run, &line.entry);
            look(&folded);
        }
    }
    for log in &history.publisher {
        for line in &log.lines {
            folded.apply_publisher(&line.entry);
            look(&folded);
        }
    }
    folded
}

fn cut_us(folded: &Folded) -> u64 {
    folded.pauses().iter().filter(|pause| pause.cut).map(|pause| pause.length_us).sum()
}

fn gaps_us(folded: &Folded) -> u64 {
    folded.gaps().iter().map(|gap| gap.lost_us).sum()
}

fn all_of(folded: &Folded) -> String {
    let report = Report::of("a".parse().unwrap(), folded, Items::All);
    let _ = ExitCode::of(folded);
    serde_json::to_string(&report).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn pauses_gaps_and_recorded_time_add_up_to_the_wall_clock(steps in steps(0)) {
        let (history, truth) = play(&steps);
        let folded = Folded::of(&history);
        prop_assert_eq!(folded.wall_us(), Some(truth.wall_us));
        prop_assert_eq!(folded.recorded_us(), truth.recorded_us);
        prop_assert_eq!(cut_us(&folded), truth.cut_paused_us);
        prop_assert_eq!(gaps_us(&folded), truth.gaps_us);
        prop_assert_eq!(
            truth.recorded_us + truth.cut_paused_us + truth.gaps_us,
            truth.wall_us
        );
        prop_assert_eq!(folded.phase(), Phase::Finished);
        prop_assert_eq!(ExitCode::of(&folded), ExitCode::Done);
    }

    #[test]
    fn overlapping_runs_and_two_seconds_of_skew_fold_to_one_timeline(steps in steps(2_000)) {
        let (history, truth) = play(&steps);
        let folded = Folded::of(&history);
        prop_assert_eq!(
            folded.wall_us(),
            Some(folded.recorded_us() + cut_us(&folded) + gaps_us(&folded))
        );
        prop_assert_eq!(folded.recorded_us(), truth.recorded_us);
        let times = [
            folded.create_time(),
            folded.start_time(),
            folded.cancel_time(),
            folded.stop_time(),
            folded.finish_time(),
        ];
        prop_assert!(times.iter().all(Option::is_some) && times.is_sorted(), "{:?}", times);
    }

    #[test]
    fn the_parts_cover_the_video_without_holes(steps in steps(2_000)) {
        let (history, truth) = play(&steps);
        let folded = Folded::of(&history);
        let mut end_us = 0;
        for part in folded.parts() {
            prop_assert_eq!(part.start_us, end_us);
            end_us = part.end_us.unwrap();
        }
        prop_assert_eq!(end_us, truth.recorded_us);
        for places in [
            folded.pauses().iter().map(|pause| pause.at_us).collect::<Vec<_>>(),
            folded.gaps().iter().map(|gap| gap.at_us).collect(),
        ] {
            prop_assert!(places.is_sorted(), "{:?}", places);
            prop_assert!(places.iter().all(|at_us| *at_us <= truth.recorded_us));
        }
    }

    #[test]
    fn any_prefix_folds_and_no_phase_goes_back(steps in steps(2_000)) {
        let (history, _) = play(&steps);
        let mut rank = 0;
        let folded = fold_step_by_step(&history, |folded| {
            assert!(folded.phase().rank() >= rank);
            rank = folded.phase().rank();
            all_of(folded);
        });
        prop_assert_eq!(folded, Folded::of(&history));
    }

    #[test]
    fn a_recording_left_alone_asks_to_measure_its_open_part_only(steps in steps(0)) {
        let folded = Folded::of(&play_unfinished(&steps));
        let open: Vec<_> = folded.parts().filter(|part| part.end_us.is_none()).collect();
        prop_assert_eq!(open.len(), 1);
        prop_assert_eq!(folded.unmeasured_part(), folded.parts().last().copied());
        prop_assert_eq!(ExitCode::of(&folded), ExitCode::Interrupted);
    }

    #[test]
    fn any_events_at_all_fold_without_panic(history in any_history()) {
        let mut rank = 0;
        fold_step_by_step(&history, |folded| {
            assert!(folded.phase().rank() >= rank);
            rank = folded.phase().rank();
        });
        all_of(&Folded::of(&history));
    }

    #[test]
    fn every_event_survives_its_journal(
        recorder in any_recorder_entry(),
        publisher in any_publisher_entry(),
    ) {
        let line = serde_json::to_string(&recorder).unwrap();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(serde_json::from_str::<Entry<RecorderEvent>>(&line).unwrap(), recorder);
        let line = serde_json::to_string(&publisher).unwrap();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(serde_json::from_str::<Entry<_>>(&line).unwrap(), publisher);
    }
}

#[test]
fn five_hundred_pauses_keep_the_summary_small() {
    let pause = [
        Step::Wait { ms: 500 },
        Step::Pause { cut: true },
        Step::Wait { ms: 500 },
        Step::Resume,
        Step::Gap { cause: panorec::session::event::GapCause::BrowserDied, ms: 10, lost_ms: 0 },
    ];
    let (history, _) = play(&pause.iter().cycle().take(2_500).cloned().collect::<Vec<_>>());
    let mut folded = Folded::of(&history);
    for n in 0..1_000 {
        let text = format!("{n} {}", "long ".repeat(1_000));
        folded.apply_recorder(
            RunNumber(1),
            &Entry { event: RecorderEvent::Warning { text }, ..history.recorder[0].lines[0].entry.clone() },
        );
    }
    let report = Report::of(TaskId::random(), &folded, Items::Newest);
    let pauses = &report.status.pauses;
    assert_eq!((pauses.count, pauses.items.len(), pauses.truncated), (500, 64, true));
    assert!((pauses.total_seconds - 250.0).abs() < 0.001);
    assert_eq!(report.status.gaps.count, 500);
    let summary = serde_json::to_string(&report).unwrap();
    assert!(summary.len() < 32 * 1024, "{} bytes", summary.len());
    assert_eq!(Status::of(&folded, Items::All).pauses.items.len(), 500);
}
