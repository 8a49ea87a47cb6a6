//! The embedded backend of the Action API: all tasks in memory, as their sessions tell of them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use jiff::{SignedDuration, Timestamp};
use tokio_util::task::TaskTracker;

use super::area::{Area, Found};
use super::ask::Places;
use super::attend::Work;
use super::task::{Asked, Task};
use crate::complaint::Complaint;
use crate::gateway::action::{self, Decision, Filter, Order, Refusal, Start, decide};
use crate::gateway::auth::Caller;
use crate::gateway::{Backend, BackendError, Census, Changes};
use crate::publisher::abort_uploads;
use crate::recorder::browser::Login;
use crate::session::describe::Described;
use crate::session::fold::{Folded, Phase};
use crate::session::folder::SessionDir;
use crate::session::intent::Intent;
use crate::session::name::TaskId;
use crate::session::request::{Delivery, Destination, Request};
use crate::session::status::{Items, Report};

/// A recorder takes an order in at once. One that is busy with its page is not waited for any longer.
const TAKEN_WITHIN: Duration = Duration::from_secs(2);
/// What is at work has this long to be left as a next process finds it best: a callback takes 15 s at most.
const LEAVING: Duration = Duration::from_secs(25);
/// Starts of the same name come one after the other; others hardly ever meet here.
const LANES: usize = 64;

/// All tasks, and who works on them. Clones share it.
#[derive(Clone)]
pub(super) struct Engine(Arc<Shared>);

struct Shared {
    area: Area,
    places: Places,
    work: Work,
    tasks: Mutex<HashMap<TaskId, Arc<Task>>>,
    /// The keys of those who are making one just now.
    making: Mutex<Vec<Option<String>>>,
    lanes: [tokio::sync::Mutex<()>; LANES],
    at_work: TaskTracker,
}

impl Engine {
    /// Takes up all that the data folder has: what is finished is known, what is not goes on.
    pub(super) fn load(area: Area, places: Places, work: Work) -> Result<Engine, Complaint> {
        let found = area.sessions()?;
        let engine = Engine(Arc::new(Shared {
            area,
            places,
            work,
            tasks: Mutex::default(),
            making: Mutex::default(),
            lanes: std::array::from_fn(|_| tokio::sync::Mutex::default()),
            at_work: TaskTracker::new(),
        }));
        let mut unfinished = Vec::new();
        for found in found {
            let id = found.id.clone();
            match engine.take_up(found) {
                Ok(going_on) => unfinished.extend(going_on),
                Err(error) => tracing::error!(task = %id, %error, "is left alone: its session cannot be read"),
            }
        }
        // Who has begun goes on at once, and the others wait for what that leaves.
        unfinished.sort_by_key(|(_, _, folded)| folded.runs == 0);
        for (task, session, folded) in unfinished {
            engine.attend(task, session, &folded);
        }
        Ok(engine)
    }

    fn take_up(&self, found: Found) -> Result<Option<(Arc<Task>, SessionDir, Folded)>, Complaint> {
        let Found { id, asked, session } = found;
        let secrets = self.0.area.secrets(&id);
        // What a process that was killed had no time for.
        if secrets.are_there() {
            secrets.remove_spent(&session.folded()?);
        }
        let said = session.intent()?.unwrap_or_default();
        if let Some(result) = session.result()?.filter(|result| result.status.phase == Phase::Finished) {
            self.insert(Task::new(asked, said, result));
            return Ok(None);
        }
        let folded = session.folded()?;
        let report = Report::of(id, &folded, Items::Newest);
        let task = self.insert(Task::new(asked, said, report));
        Ok(Some((task, session, folded)))
    }

    fn insert(&self, task: Task) -> Arc<Task> {
        let task = Arc::new(task);
        self.tasks().insert(task.id.clone(), Arc::clone(&task));
        task
    }

    fn attend(&self, task: Arc<Task>, session: SessionDir, folded: &Folded) {
        let place = self.0.work.place(&task, folded);
        let (shared, secrets) = (Arc::clone(&self.0), self.0.area.secrets(&task.id));
        self.0.at_work.spawn(async move { shared.work.attend(task, session, secrets, place).await });
    }

    /// Leaves what is at work to a next process.
    pub(super) async fn leave(&self) {
        self.0.work.end.cancel();
        self.0.at_work.close();
        if tokio::time::timeout(LEAVING, self.0.at_work.wait()).await.is_err() {
            tracing::warn!("some recordings are left as they are");
        }
    }

    /// A file that a finished task has here.
    pub(super) fn file(&self, id: &TaskId, name: &str) -> Option<PathBuf> {
        let task = self.task(id)?;
        task.described().result?;
        let session = self.0.area.session(id).ok()?;
        if session.delivery().ok()?.destination != Destination::Session {
            return None;
        }
        let is_name = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']);
        let path = is_name.then(|| session.output_folder().join(name))?;
        path.symlink_metadata().ok()?.is_file().then_some(path)
    }

    /// Removes the tasks that finished before `keep`; how many.
    pub(super) fn remove_finished(&self, keep: Duration, now: Timestamp) -> usize {
        let keep = SignedDuration::try_from(keep).unwrap_or(SignedDuration::MAX);
        let Ok(until) = now.checked_sub(keep) else { return 0 };
        let is_over = |task: &Task| {
            let described = task.described();
            let ended = described.finish_time.or(described.create_time);
            described.status == Phase::Finished && ended.is_some_and(|second| second <= until.as_second())
        };
        let over: Vec<TaskId> =
            self.tasks().values().filter(|task| is_over(task)).map(|task| task.id.clone()).collect();
        for id in &over {
            // What of it a store has that was not finished is nobody's any more.
            if let Ok(session) = self.0.area.session(id)
                && let Err(error) = abort_uploads(&session, &self.0.work.egress.delivery)
            {
                tracing::warn!(task = %id, %error, "something may be left in the store");
            }
            self.tasks().remove(id);
            if let Err(error) = self.0.area.remove(id) {
                tracing::error!(task = %id, %error, "cannot be removed");
            }
        }
        over.len()
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<TaskId, Arc<Task>>> {
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn task(&self, id: &TaskId) -> Option<Arc<Task>> {
        self.tasks().get(id).map(Arc::clone)
    }

    fn task_of(&self, caller: &Caller, id: &TaskId) -> Result<Arc<Task>, BackendError> {
        self.task(id).filter(|task| task.is_seen_by(caller)).ok_or(BackendError::NotFound)
    }

    async fn make(&self, caller: &Caller, start: Start) -> Result<TaskId, BackendError> {
        let namespace = caller.namespace.as_deref().unwrap_or_default();
        let id = start.name(&format!("{namespace}/{}", caller.key_id.as_deref().unwrap_or_default()));
        let _alone = self.0.lanes[lane(&id)].lock().await;
        if let Some(task) = self.task(&id) {
            return match task.asked.is_said_again(caller, &start) {
                true => Ok(id),
                false => Err(BackendError::Taken),
            };
        }
        let _counted = Counted::new(self, caller)?;
        let asked = Asked::new(caller, &start, Timestamp::now());
        let secrets = self.0.area.secrets(&id);
        let (request, delivery) = self.0.places.ask(&start, &id, asked.created, &secrets)?;
        let (shared, kept) = (Arc::clone(&self.0), asked.clone());
        let making = move || shared.make(&start, &kept, &request, &delivery);
        let session = tokio::task::spawn_blocking(making).await.map_err(broken)??;
        let folded = Folded::default();
        let task = Task::new(asked, Intent::default(), Report::of(id.clone(), &folded, Items::Newest));
        self.attend(self.insert(task), session, &folded);
        Ok(id)
    }

    async fn order(&self, task: &Task, order: Order) -> Result<(), BackendError> {
        let _in_order = task.orders.lock().await;
        match decide(order, task.phase()) {
            Decision::InvalidStatus(words) => return Err(Refusal::status(words).into()),
            Decision::NothingToDo => return Ok(()),
            Decision::Allowed => {}
        }
        let (shared, id) = (Arc::clone(&self.0), task.id.clone());
        let saying = move || {
            let now = Timestamp::now();
            shared.area.session(&id)?.change_intent(|before| order.after(&before, now))
        };
        let said = tokio::task::spawn_blocking(saying).await.map_err(broken)?.map_err(broken)?;
        task.hear(said.clone());
        if order != Order::Stop && task.recorder_lives() {
            // Whoever asks next finds what was said; a recorder that is slow is followed later.
            let _ = tokio::time::timeout(TAKEN_WITHIN, task.journaled(&said)).await;
        }
        Ok(())
    }
}

impl Shared {
    fn make(
        &self,
        start: &Start,
        asked: &Asked,
        request: &Request,
        delivery: &Delivery,
    ) -> Result<SessionDir, BackendError> {
        let create = |error: &dyn std::fmt::Display| BackendError::Create(error.to_string());
        let session = self.area.make(start, asked, request, delivery).map_err(|error| create(&error))?;
        if start.login_state.is_some() && Login::read(&self.area.secrets(&delivery.task_id).login).is_err() {
            self.area.remove(&delivery.task_id).map_err(|error| create(&error))?;
            let sentence = "LoginState must be an object with cookies, headers and origins, as Playwright saves them";
            return Err(Refusal::parameter(sentence).into());
        }
        Ok(session)
    }
}

fn broken(error: impl std::fmt::Display) -> BackendError {
    BackendError::Internal(error.to_string())
}

fn lane(id: &TaskId) -> usize {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish() as usize % LANES
}

/// A task that is being made: it counts for its key's limit before it is there.
struct Counted<'a> {
    engine: &'a Engine,
    key_id: Option<String>,
}

impl<'a> Counted<'a> {
    fn new(engine: &'a Engine, caller: &Caller) -> Result<Counted<'a>, BackendError> {
        let key_id = caller.key_id.clone();
        let mut making = engine.0.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(most) = caller.max_concurrent {
            let unfinished = |task: &&Arc<Task>| task.asked.key_id == key_id && !task.is_finished();
            let count = engine.tasks().values().filter(unfinished).count();
            if count + making.iter().filter(|other| **other == key_id).count() >= most as usize {
                return Err(BackendError::Limit);
            }
        }
        making.push(key_id.clone());
        Ok(Counted { engine, key_id })
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let mut making = self.engine.0.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = making.iter().position(|key_id| *key_id == self.key_id) {
            making.swap_remove(at);
        }
    }
}

impl Backend for Engine {
    async fn start(&self, caller: &Caller, start: Start) -> Result<TaskId, BackendError> {
        let (engine, caller) = (self.clone(), caller.clone());
        // It goes on when the client does not wait for it: a task is on disk and in memory, or nowhere.
        tokio::spawn(async move { engine.make(&caller, start).await }).await.map_err(broken)?
    }

    async fn tell(&self, caller: &Caller, task: &TaskId, order: Order) -> Result<(), BackendError> {
        let (engine, task) = (self.clone(), self.task_of(caller, task)?);
        tokio::spawn(async move { engine.order(&task, order).await }).await.map_err(broken)?
    }

    async fn find(&self, caller: &Caller, task: &TaskId) -> Result<action::Task, BackendError> {
        let task = self.task_of(caller, task)?;
        let queue_position = self.0.work.queue.position(task.asked.created, &task.id);
        let described = Described { queue_position, ..task.described() };
        Ok(action::Task { described, parameters: task.asked.parameters.clone() })
    }

    async fn list(&self, caller: &Caller, filter: &Filter) -> Result<Vec<Described>, BackendError> {
        let tasks: Vec<_> = self.tasks().values().filter(|task| task.is_seen_by(caller)).map(Arc::clone).collect();
        let taken = tasks.into_iter().filter(|task| filter.takes(task.phase(), Some(task.asked.created)));
        let positions = self.0.work.queue.positions();
        let described =
            |task: Arc<Task>| Described { queue_position: positions.get(&task.id).copied(), ..task.described() };
        Ok(taken.map(described).collect())
    }

    fn changes(&self, caller: &Caller, task: &TaskId) -> Changes {
        let Ok(task) = self.task_of(caller, task) else { return stream::empty().boxed() };
        // The task itself is not held: its followers, too, are told when it is removed.
        let changes = (task.changes(), self.0.work.queue.changes());
        let changed = stream::unfold(changes, |(mut task, mut queue)| async move {
            let changed = tokio::select! {
                changed = task.changed() => changed,
                changed = queue.changed() => changed,
            };
            changed.ok().map(|()| ((), (task, queue)))
        });
        changed.boxed()
    }

    fn census(&self) -> Census {
        let mut census = Census::new();
        for task in self.tasks().values() {
            *census.entry(task.phase()).or_default() += 1;
        }
        census
    }

    fn ready(&self) -> Result<(), String> {
        match self.0.work.end.is_cancelled() {
            true => Err("it is ending".to_owned()),
            false => Ok(()),
        }
    }
}
