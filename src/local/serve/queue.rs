//! How many are recorded at the same time, and whose turn is next: the oldest's.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::{oneshot, watch};

use crate::session::name::TaskId;

/// Gives out turns.
pub(super) struct Queue {
    most: usize,
    state: Mutex<State>,
    /// Rises with every change of who waits.
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    at_work: usize,
    waiting: BTreeMap<Place, oneshot::Sender<Turn>>,
}

/// By the time of creation; tasks of the same moment in any order, but always the same one.
type Place = (Timestamp, TaskId);

/// A place in the queue; dropped before its turn it is given up.
pub(super) struct Waiting {
    queue: Arc<Queue>,
    place: Place,
    turn: oneshot::Receiver<Turn>,
}

/// The right to record, until it is dropped.
pub(super) struct Turn(Arc<Queue>);

impl Queue {
    pub(super) fn new(most: usize) -> Arc<Queue> {
        Arc::new(Queue { most, state: Mutex::default(), changes: watch::Sender::default() })
    }

    /// The places of those who wait, 1 being the next.
    pub(super) fn positions(&self) -> HashMap<TaskId, u32> {
        self.with(|state| state.waiting.keys().map(|(_, task)| task.clone()).zip(1..).collect())
    }

    /// The place of one who waits.
    pub(super) fn position(&self, created: Timestamp, task: &TaskId) -> Option<u32> {
        self.with(|state| {
            let place = (created, task.clone());
            state.waiting.contains_key(&place).then(|| state.waiting.range(..=place).count() as u32)
        })
    }

    /// Changes when others wait than before.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// A turn at once, also where there are too many: what has begun does not wait again.
    pub(super) fn take(self: &Arc<Self>) -> Turn {
        self.with(|state| state.at_work += 1);
        Turn(Arc::clone(self))
    }

    /// A place in the queue.
    pub(super) fn join(self: &Arc<Self>, created: Timestamp, task: TaskId) -> Waiting {
        let (sender, turn) = oneshot::channel();
        let place = (created, task);
        self.with(|state| state.waiting.insert(place.clone(), sender));
        self.admit();
        self.changed();
        Waiting { queue: Arc::clone(self), place, turn }
    }

    fn admit(self: &Arc<Self>) {
        while let Some(next) = self.with(|state| {
            let next = (state.at_work < self.most).then(|| state.waiting.pop_first())??.1;
            state.at_work += 1;
            Some(next)
        }) {
            // One who does not wait any more gives it back by dropping it.
            drop(next.send(Turn(Arc::clone(self))));
        }
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Waiting {
    /// Waits for the turn.
    pub(super) async fn turn(&mut self) -> Turn {
        match (&mut self.turn).await {
            Ok(turn) => turn,
            // Only who has left the queue has no sender there.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.queue.with(|state| state.waiting.remove(&self.place)).is_some() {
            self.queue.changed();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.with(|state| state.at_work -= 1);
        self.0.admit();
        self.0.changed();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn place(second: i64) -> (Timestamp, TaskId) {
        (Timestamp::from_second(second).unwrap(), TaskId::random())
    }

    #[tokio::test]
    async fn turns_are_given_in_the_order_of_creation() {
        let queue = Queue::new(1);
        let join = |second| {
            let (created, task) = place(second);
            queue.join(created, task)
        };
        let mut first = join(50);
        let (mut newer, mut older, given_up) = (join(60), join(40), join(30));
        let turn = first.turn().await;
        let places = [&first, &newer, &older, &given_up].map(|one| queue.position(one.place.0, &one.place.1));
        assert_eq!(places, [None, Some(3), Some(2), Some(1)]);
        assert_eq!(queue.positions()[&newer.place.1], 3);
        assert!(newer.turn().now_or_never().is_none() && older.turn().now_or_never().is_none());
        drop(given_up);
        drop(turn);
        let turn = older.turn().now_or_never().unwrap();
        assert!(newer.turn().now_or_never().is_none());
        drop(turn);
        assert!(newer.turn().now_or_never().is_some());
    }

    #[tokio::test]
    async fn what_has_begun_does_not_wait_and_others_wait_for_it() {
        let queue = Queue::new(1);
        let (one, two) = (queue.take(), queue.take());
        let (created, task) = place(1);
        let mut waiting = queue.join(created, task);
        drop(one);
        assert!(waiting.turn().now_or_never().is_none());
        drop(two);
        assert!(waiting.turn().now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_turn_that_nobody_takes_goes_to_the_next() {
        let queue = Queue::new(1);
        let join = |second| {
            let (created, task) = place(second);
            queue.join(created, task)
        };
        let unread = join(1);
        let mut next = join(2);
        drop(unread);
        assert!(next.turn().now_or_never().is_some());
    }
}
