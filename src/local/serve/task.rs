//! A task as it is kept in memory: what was asked for, and how it stands.

use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};

use crate::gateway::action::{Parameters, Start, shown};
use crate::gateway::auth::Caller;
use crate::session::describe::Described;
use crate::session::fold::{Folded, Phase};
use crate::session::intent::{Intent, IntentState};
use crate::session::name::TaskId;
use crate::session::status::{Items, Report};

/// What was asked for, by whom, and when: `task.json` of a session. No secret is in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Asked {
    pub created: Timestamp,
    /// The key that signed for it; None: there were no keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_token: Option<String>,
    pub parameters: Parameters,
}

impl Asked {
    pub(super) fn new(caller: &Caller, start: &Start, created: Timestamp) -> Asked {
        Asked {
            created,
            key_id: caller.key_id.clone(),
            namespace: caller.namespace.clone(),
            client_token: start.client_token.as_ref().map(ToString::to_string),
            parameters: start.parameters.clone(),
        }
    }

    /// Whether a Start is this one said once more: by the same caller, with the same token.
    pub(super) fn is_said_again(&self, caller: &Caller, start: &Start) -> bool {
        let same_caller = self.key_id == caller.key_id && self.namespace == caller.namespace;
        let token = start.client_token.as_ref().map(ToString::to_string);
        same_caller && token.is_some() && self.client_token == token
    }
}

/// A task, and what is known of its session.
pub(super) struct Task {
    pub id: TaskId,
    pub asked: Asked,
    /// Orders come one after the other.
    pub orders: Mutex<()>,
    recorder_lives: AtomicBool,
    seen: watch::Sender<Seen>,
}

/// How a task stands.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// As the journals say.
    described: Described,
    /// What of the intent the journals have.
    journaled: Intent,
    /// What was said.
    said: Intent,
}

impl Task {
    /// One whose session is as this report says.
    pub(super) fn new(asked: Asked, said: Intent, mut report: Report) -> Task {
        report.status.create_time = Some(asked.created);
        let seen = Seen { described: Described::from(&report), journaled: Intent::default(), said };
        Task {
            id: report.task_id,
            asked,
            orders: Mutex::default(),
            recorder_lives: AtomicBool::new(false),
            seen: watch::Sender::new(seen),
        }
    }

    /// Takes in what the journals say. Nothing goes back.
    pub(super) fn heed(&self, folded: &Folded) {
        let mut report = Report::of(self.id.clone(), folded, Items::Newest);
        report.status.create_time = Some(self.asked.created);
        let described = Described::from(&report);
        self.seen.send_if_modified(|seen| {
            let is_news = described.status.rank() >= seen.described.status.rank()
                && (described != seen.described || folded.told != seen.journaled);
            if is_news {
                seen.described = described;
                seen.journaled = folded.told.clone();
            }
            is_news
        });
    }

    /// Takes in what was said.
    pub(super) fn hear(&self, said: Intent) {
        self.seen.send_if_modified(|seen| {
            // Both only ever rise; who read the file earlier may come later.
            let is_news = said != seen.said && said.revision >= seen.said.revision && said.refresh >= seen.said.refresh;
            if is_news {
                seen.said = said;
            }
            is_news
        });
    }

    /// What Describe shows.
    pub(super) fn described(&self) -> Described {
        self.seen.borrow().described()
    }

    pub(super) fn phase(&self) -> Phase {
        self.seen.borrow().phase()
    }

    /// Changes when it stands otherwise than before.
    pub(super) fn changes(&self) -> watch::Receiver<Seen> {
        self.seen.subscribe()
    }

    pub(super) fn is_finished(&self) -> bool {
        self.phase() == Phase::Finished
    }

    /// Whether a caller may know of it.
    pub(super) fn is_seen_by(&self, caller: &Caller) -> bool {
        self.asked.namespace == caller.namespace
    }

    /// Says whether a recorder is there to follow orders.
    pub(super) fn set_recorder_lives(&self, lives: bool) {
        self.recorder_lives.store(lives, Ordering::Relaxed);
    }

    pub(super) fn recorder_lives(&self) -> bool {
        self.recorder_lives.load(Ordering::Relaxed)
    }

    /// Waits until the journals have what was said.
    pub(super) async fn journaled(&self, said: &Intent) {
        // An error would mean that the task is gone, and it is held here.
        let _ = self.seen.subscribe().wait_for(|seen| said.edge_after(&seen.journaled).is_none()).await;
    }

    /// Waits until it was told to stop.
    pub(super) async fn told_to_stop(&self) {
        let _ = self.seen.subscribe().wait_for(|seen| seen.said.state == IntentState::Stopped).await;
    }
}

impl Seen {
    fn described(&self) -> Described {
        let described = shown(self.described.clone(), &self.said);
        Described { status: self.phase_over(described.status), ..described }
    }

    fn phase(&self) -> Phase {
        let status = self.described.status;
        let stopped = self.said.state == IntentState::Stopped && status.rank() < Phase::Canceled.rank();
        if stopped { Phase::Canceled } else { self.phase_over(status) }
    }

    /// What was said to a task that still waits for its turn counts before a recorder can journal it.
    fn phase_over(&self, phase: Phase) -> Phase {
        match (phase, self.said.state) {
            (Phase::Normal, IntentState::Paused) => Phase::Paused,
            (Phase::Normal, IntentState::Recording) if self.said.revision > 0 => Phase::Recording,
            (phase, _) => phase,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::action::Order;

    fn task() -> Task {
        let json = serde_json::json!({
            "created": "2026-01-02T03:04:05.6Z", "parameters": {"RecordURL": "https://school.example/"},
        });
        let asked: Asked = serde_json::from_value(json).unwrap();
        let report = Report::of(TaskId::random(), &Folded::default(), Items::Newest);
        Task::new(asked, Intent::default(), report)
    }

    fn say(task: &Task, order: Order) -> Intent {
        let said = order.after(&task.seen.borrow().said, Timestamp::from_second(1_800_000_000).unwrap());
        task.hear(said.clone());
        said
    }

    #[test]
    fn what_is_said_to_one_that_waits_counts_at_once_and_nothing_goes_back() {
        let task = task();
        assert_eq!((task.phase(), task.described().create_time), (Phase::Normal, Some(1_767_323_045)));
        let paused = say(&task, Order::Pause);
        assert_eq!(task.phase(), Phase::Paused);
        say(&task, Order::Resume);
        assert_eq!((task.phase(), task.described().start_time), (Phase::Recording, None));
        task.hear(paused);
        task.heed(&Folded::default());
        assert_eq!(task.described().status, Phase::Recording);
        say(&task, Order::Stop);
        let described = task.described();
        assert_eq!((described.status, described.cancel_time), (Phase::Canceled, Some(1_800_000_000)));
        assert_eq!(task.phase(), Phase::Canceled);
    }
}
