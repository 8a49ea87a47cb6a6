//! What an order does in which status, and what Describe shows once it was given.

use jiff::Timestamp;

use crate::session::describe::Described;
use crate::session::fold::Phase;
use crate::session::intent::{Intent, IntentState};

/// What can be said to a task. Cancel and ForceStop are Stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Pause,
    Resume,
    Refresh,
    Stop,
}

/// What comes of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is to be said: see [`Order::after`].
    Allowed,
    /// A success without any effect.
    NothingToDo,
    /// Refused, with these words: see [`super::Refusal::status`].
    InvalidStatus(String),
}

/// Decides by the status that Describe shows. Pause in paused and Resume in recording change nothing as the task stands
/// there, and are said all the same: the page may have paused or resumed it since.
pub fn decide(order: Order, phase: Phase) -> Decision {
    match (order, phase) {
        (Order::Pause, Phase::Normal | Phase::Recording | Phase::Paused)
        | (Order::Resume, Phase::Recording | Phase::Paused)
        | (Order::Refresh, Phase::Recording | Phase::Paused)
        | (Order::Stop, Phase::Normal | Phase::Recording | Phase::Paused) => Decision::Allowed,
        (Order::Pause, phase) => Decision::InvalidStatus(format!("can't pause a task in status {phase}")),
        (Order::Resume, phase) => Decision::InvalidStatus(format!("can't resume a task in status {phase}")),
        (Order::Refresh | Order::Stop, _) => Decision::NothingToDo,
    }
}

impl Order {
    /// What is wanted of a task from `now` on, after `last` was. Each saying of a state has a higher revision, so that
    /// it is news to the recorder whatever the page did; a refresh leaves the state to the page. Stopped is final.
    pub fn after(self, last: &Intent, now: Timestamp) -> Intent {
        let state = match self {
            _ if last.state == IntentState::Stopped => return last.clone(),
            Order::Refresh => return Intent { refresh: last.refresh.saturating_add(1), at: Some(now), ..last.clone() },
            Order::Pause => IntentState::Paused,
            Order::Resume => IntentState::Recording,
            Order::Stop => IntentState::Stopped,
        };
        Intent { state, refresh: last.refresh, revision: last.revision.saturating_add(1), at: Some(now) }
    }
}

/// What Describe shows: the later of what the session tells and what was said. A task is canceled as soon as it was
/// told to stop.
pub fn shown(mut described: Described, said: &Intent) -> Described {
    if said.state == IntentState::Stopped {
        if described.status.rank() < Phase::Canceled.rank() {
            described.status = Phase::Canceled;
        }
        // The journal takes it over, unless nothing was recorded that could have one.
        described.cancel_time = described.cancel_time.or(said.at.map(Timestamp::as_second));
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_in_every_status() {
        use Decision::{Allowed, NothingToDo};
        use Order::{Pause, Refresh, Resume, Stop};
        let no = |words: &str| Decision::InvalidStatus(words.to_owned());
        let (pause, resume) = ("can't pause a task in status", "can't resume a task in status");
        for (phase, on_pause, on_resume, on_refresh, on_stop) in [
            (Phase::Normal, Allowed, no(&format!("{resume} normal")), NothingToDo, Allowed),
            (Phase::Recording, Allowed, Allowed, Allowed, Allowed),
            (Phase::Paused, Allowed, Allowed, Allowed, Allowed),
            (
                Phase::Canceled,
                no(&format!("{pause} canceled")),
                no(&format!("{resume} canceled")),
                NothingToDo,
                NothingToDo,
            ),
            (
                Phase::Transcode,
                no(&format!("{pause} transcode")),
                no(&format!("{resume} transcode")),
                NothingToDo,
                NothingToDo,
            ),
            (Phase::Upload, no(&format!("{pause} upload")), no(&format!("{resume} upload")), NothingToDo, NothingToDo),
            (
                Phase::Callback,
                no(&format!("{pause} callback")),
                no(&format!("{resume} callback")),
                NothingToDo,
                NothingToDo,
            ),
            (
                Phase::Finished,
                no(&format!("{pause} finished")),
                no(&format!("{resume} finished")),
                NothingToDo,
                NothingToDo,
            ),
        ] {
            for (order, expected) in [(Pause, on_pause), (Resume, on_resume), (Refresh, on_refresh), (Stop, on_stop)] {
                assert_eq!(decide(order, phase), expected, "{order:?} in {phase}");
            }
        }
    }

    #[test]
    fn every_saying_is_news_and_a_refresh_says_nothing_of_the_state() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let paused = Intent { state: IntentState::Paused, refresh: 2, revision: 7, at: None };
        for (order, state, refresh, revision) in [
            (Order::Pause, IntentState::Paused, 2, 8),
            (Order::Resume, IntentState::Recording, 2, 8),
            (Order::Refresh, IntentState::Paused, 3, 7),
            (Order::Stop, IntentState::Stopped, 2, 8),
        ] {
            let said = order.after(&paused, now);
            assert_eq!(said, Intent { state, refresh, revision, at: Some(now) });
            let edge = said.edge_after(&paused).unwrap();
            assert_eq!(edge.state.is_none(), order == Order::Refresh);
            assert_eq!(edge.reload, order == Order::Refresh);
            let stopped = Order::Stop.after(&paused, now);
            assert_eq!(order.after(&stopped, now), stopped, "Stopped is final");
        }
    }

    #[test]
    fn a_stop_shows_at_once() {
        let described = |status, cancel_time| Described {
            task_id: "lesson".parse().unwrap(),
            status,
            queue_position: None,
            create_time: Some(1),
            start_time: None,
            cancel_time,
            stop_time: None,
            finish_time: None,
            result: None,
        };
        let at = Timestamp::from_second(9).unwrap();
        let stop = Intent { state: IntentState::Stopped, at: Some(at), ..Intent::default() };
        for phase in [Phase::Normal, Phase::Recording, Phase::Paused] {
            assert_eq!(shown(described(phase, None), &stop), described(Phase::Canceled, Some(9)));
            assert_eq!(shown(described(phase, None), &Intent::default()), described(phase, None));
        }
        assert_eq!(shown(described(Phase::Upload, Some(5)), &stop), described(Phase::Upload, Some(5)));
        assert_eq!(shown(described(Phase::Finished, None), &stop), described(Phase::Finished, Some(9)));
    }
}
