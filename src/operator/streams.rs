//! One stream to each publisher: its events come in and are folded, what is wanted goes out.
//! What was seen is asked for by reconcile; each change wakes it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::io::{AsyncBufReadExt, AsyncReadExt};
use http::StatusCode;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::RecordingRef;
use super::reach::{Dialer, Lines, ReachError, Target, Told};
use crate::session::exit::ExitCode;
use crate::session::fold::{Folded, Phase, Warnings};
use crate::session::follow::{Follower, News};
use crate::session::status::{Items, Status};
use crate::session::stream::{Mark, StreamLine, ToldIntent};

/// A publisher says each 5 s that it lives; three of these missed, and the stream is dead.
const SILENCE: Duration = Duration::from_secs(16);
/// The longest line: one event of a journal and its frame.
const LINE_BYTES: u64 = 512 << 10;
/// How many streams may be on their way to having caught up at once: after a failover all of them
/// connect anew.
const CATCHING_UP: usize = 48;
/// How long a phase that passes quickly (the video is made, delivered) must last to be written.
pub const PASSING: Duration = Duration::from_secs(1);

/// What a stream has told.
#[derive(Default)]
struct Seen {
    follower: Follower,
    /// Everything that was there when the stream was opened has been seen.
    caught_up: bool,
    connected: bool,
    /// States that a watcher of the status must not miss, in their order.
    milestones: VecDeque<Known>,
    /// Since when the phase is what it is.
    since: Option<Instant>,
    told: Option<(ToldIntent, Told)>,
    failure: Option<String>,
}

/// What a session tells of itself.
#[derive(Debug, Clone)]
pub struct Known {
    pub status: Status,
    pub warnings: Warnings,
    /// How it would end as it is.
    pub code: ExitCode,
    /// Length of the video so far, in microseconds.
    pub recorded_us: u64,
}

impl Known {
    fn of(folded: &Folded) -> Known {
        Known {
            status: Status::of(folded, Items::Newest),
            warnings: folded.warnings.clone(),
            code: ExitCode::of(folded),
            recorded_us: folded.recorded_us(),
        }
    }
}

/// How a recording stands by its stream.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// None while nothing is known.
    pub known: Option<Known>,
    /// More milestones follow: ask again.
    pub more: bool,
    /// The phase is one that passes quickly, and has just begun: it is not worth being written yet.
    pub passing: bool,
}

/// A stream for people who look for what is wrong.
#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamState {
    pub recording: String,
    pub pod: Option<String>,
    pub connected: bool,
    pub caught_up: bool,
    pub phase: Phase,
    pub cursor: String,
    pub told_generation: Option<u64>,
    pub failure: Option<String>,
}

struct Stream {
    recording: RecordingRef,
    target: watch::Sender<Option<Target>>,
    intent: watch::Sender<Option<ToldIntent>>,
    seen: Arc<Mutex<Seen>>,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// All streams, by the UIDs of their recordings.
pub struct Streams {
    streams: Mutex<HashMap<String, Stream>>,
    dialer: Dialer,
    changed: mpsc::UnboundedSender<RecordingRef>,
    catching_up: Arc<Semaphore>,
}

impl Streams {
    /// `changed` is told which recording to look at again.
    pub fn new(dialer: Dialer, changed: mpsc::UnboundedSender<RecordingRef>) -> Streams {
        Streams { streams: Mutex::default(), dialer, changed, catching_up: Arc::new(Semaphore::new(CATCHING_UP)) }
    }

    /// Follows the publisher at `target`, and tells it `intent`; None: no pod is there now.
    pub fn follow(&self, recording: &RecordingRef, uid: &str, target: Option<Target>, intent: ToldIntent) {
        let mut streams = lock(&self.streams);
        if !streams.contains_key(uid) {
            if target.is_none() {
                return;
            }
            streams.insert(uid.to_owned(), self.start(recording.clone(), uid.to_owned()));
        }
        let Some(stream) = streams.get(uid) else { return };
        stream.target.send_if_modified(|before| replace_if_other(before, target));
        stream.intent.send_if_modified(|before| replace_if_other(before, Some(intent)));
    }

    /// How the recording stands: the oldest milestone that nobody has written down yet, else the
    /// newest state. Milestones that `written` has already are dropped.
    pub fn standing(&self, uid: &str, written: Phase) -> Standing {
        let streams = lock(&self.streams);
        let Some(stream) = streams.get(uid) else { return Standing::default() };
        let mut seen = lock(&stream.seen);
        while seen.milestones.front().is_some_and(|known| known.status.phase == written) {
            seen.milestones.pop_front();
        }
        if let Some(known) = seen.milestones.front() {
            return Standing { known: Some(known.clone()), more: true, passing: false };
        }
        let folded = seen.follower.folded();
        let is_known = seen.caught_up && folded.create_time().is_some();
        let passing = !is_milestone(folded.phase())
            && folded.phase() != Phase::Normal
            && seen.since.is_some_and(|since| since.elapsed() < PASSING);
        Standing { known: is_known.then(|| Known::of(folded)), more: false, passing }
    }

    /// The recording needs no stream any more.
    pub fn forget(&self, uid: &str) {
        lock(&self.streams).remove(uid);
    }

    /// Forgets the streams of recordings that are gone.
    pub fn retain(&self, lives: impl Fn(&str) -> bool) {
        lock(&self.streams).retain(|uid, _| lives(uid));
    }

    /// How many streams there are, and how many of them are open.
    pub fn counts(&self) -> (usize, usize) {
        let streams = lock(&self.streams);
        let open = streams.values().filter(|stream| lock(&stream.seen).connected).count();
        (streams.len(), open)
    }

    /// All streams, for diagnostics.
    pub fn states(&self) -> Vec<StreamState> {
        let state = |stream: &Stream| {
            let seen = lock(&stream.seen);
            StreamState {
                recording: stream.recording.to_string(),
                pod: stream.target.borrow().as_ref().map(|target| target.pod.clone()),
                connected: seen.connected,
                caught_up: seen.caught_up,
                phase: seen.follower.folded().phase(),
                cursor: seen.follower.cursor().to_string(),
                told_generation: seen.told.as_ref().map(|(told, _)| told.generation),
                failure: seen.failure.clone(),
            }
        };
        lock(&self.streams).values().map(state).collect()
    }

    fn start(&self, recording: RecordingRef, uid: String) -> Stream {
        let (target, _) = watch::channel(None);
        let (intent, _) = watch::channel(None);
        let seen = Arc::<Mutex<Seen>>::default();
        let one = One {
            recording: recording.clone(),
            uid,
            dialer: self.dialer.clone(),
            changed: self.changed.clone(),
            catching_up: Arc::clone(&self.catching_up),
            seen: Arc::clone(&seen),
        };
        let tasks = [
            tokio::spawn(one.clone().listen(target.subscribe())),
            tokio::spawn(one.tell(target.subscribe(), intent.subscribe())),
        ];
        Stream { recording, target, intent, seen, tasks }
    }
}

/// What the two tasks of a stream share.
#[derive(Clone)]
struct One {
    recording: RecordingRef,
    uid: String,
    dialer: Dialer,
    changed: mpsc::UnboundedSender<RecordingRef>,
    catching_up: Arc<Semaphore>,
    seen: Arc<Mutex<Seen>>,
}

impl One {
    /// Reads the events of whatever pod there is, as long as there is a recording.
    async fn listen(self, mut target: watch::Receiver<Option<Target>>) {
        let mut pauses = pauses();
        loop {
            let Some(current) = some(&mut target).await else { return };
            tokio::select! {
                read = self.read(&current) => {
                    let failure = read.err();
                    if lock(&self.seen).caught_up {
                        pauses = self::pauses();
                    }
                    self.disconnected(failure);
                }
                moved = target.changed() => {
                    self.disconnected(None);
                    if moved.is_err() {
                        return;
                    }
                    continue;
                }
            }
            let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                moved = target.changed() => if moved.is_err() { return },
            }
        }
    }

    /// Reads one stream to its end.
    async fn read(&self, target: &Target) -> Result<(), String> {
        let mut permit = self.catching_up.acquire().await.ok();
        let cursor = lock(&self.seen).follower.cursor().clone();
        let opened = self.dialer.events(target, &self.uid, &cursor).await;
        if let Err(ReachError::Refused(StatusCode::BAD_REQUEST)) = opened {
            // The journals end before what was read of them: their machine went down with lines that were not on
            // its disk yet. So all is read anew.
            let mut seen = lock(&self.seen);
            seen.follower = Follower::new();
            seen.caught_up = false;
        }
        let mut lines = opened.map_err(|error| error.to_string())?;
        lock(&self.seen).connected = true;
        loop {
            let line = timeout(SILENCE, next_line(&mut lines)).await.map_err(|_| "it has gone silent".to_owned())?;
            let Some(line) = line? else { return Ok(()) };
            let line: StreamLine = serde_json::from_slice(&line).map_err(|error| format!("not an event: {error}"))?;
            let caught_up = matches!(line, StreamLine::Mark { mark: Mark::CaughtUp });
            if self.take(line)? {
                let _ = self.changed.send(self.recording.clone());
            }
            if caught_up {
                permit.take();
            }
        }
    }

    /// Takes in a line; whether anybody should look. Fails when all lines have to be read anew.
    fn take(&self, line: StreamLine) -> Result<bool, String> {
        let mut seen = lock(&self.seen);
        let seen = &mut *seen;
        if matches!(line, StreamLine::Mark { mark: Mark::CaughtUp }) {
            seen.caught_up = true;
            seen.failure = None;
            return Ok(true);
        }
        let before = seen.follower.folded().phase();
        match seen.follower.push(line) {
            News::New if seen.caught_up => {}
            News::New | News::Old => return Ok(false),
            News::Anew => {
                seen.follower = std::mem::take(&mut seen.follower).anew();
                seen.caught_up = false;
                return Err("a new run saw less of an older one: the journals are read anew".into());
            }
        }
        let phase = seen.follower.folded().phase();
        if phase != before {
            seen.since = Some(Instant::now());
        }
        if phase != before && is_milestone(phase) {
            // Of many pauses in a moment the newest is enough.
            let known = Known::of(seen.follower.folded());
            match seen.milestones.back_mut() {
                Some(last) if last.status.phase.rank() == phase.rank() => *last = known,
                _ => seen.milestones.push_back(known),
            }
        }
        Ok(true)
    }

    fn disconnected(&self, failure: Option<String>) {
        let mut seen = lock(&self.seen);
        seen.connected = false;
        if let Some(failure) = &failure {
            tracing::debug!(recording = %self.recording, failure, "the stream to the publisher broke");
        }
        seen.failure = failure;
    }

    /// Says what is wanted, to each new pod and at each change, until it was taken.
    async fn tell(self, mut target: watch::Receiver<Option<Target>>, mut intent: watch::Receiver<Option<ToldIntent>>) {
        let mut pauses = pauses();
        loop {
            let Some(current) = some(&mut target).await else { return };
            let Some(wanted) = some(&mut intent).await else { return };
            let pause = match self.dialer.tell(&current, &self.uid, &wanted).await {
                Ok(told) => {
                    pauses = self::pauses();
                    lock(&self.seen).told = Some((wanted, told));
                    None
                }
                Err(error) => {
                    tracing::debug!(recording = %self.recording, %error, "the publisher was not told");
                    Some(pauses.next().unwrap_or(LONGEST_PAUSE))
                }
            };
            let again = async {
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = again => {}
                moved = target.changed() => if moved.is_err() { return },
                said = intent.changed() => if said.is_err() { return },
            }
        }
    }
}

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long to wait before the next try.
fn pauses() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(LONGEST_PAUSE)
        .with_jitter()
        .without_max_times()
        .build()
}

/// The value, once there is one; None when nobody will ever give one.
async fn some<T: Clone>(receiver: &mut watch::Receiver<Option<T>>) -> Option<T> {
    let found = receiver.wait_for(Option::is_some).await.ok()?.clone();
    receiver.mark_unchanged();
    found
}

async fn next_line(lines: &mut Lines) -> Result<Option<Vec<u8>>, String> {
    let mut line = Vec::new();
    lines.take(LINE_BYTES).read_until(b'\n', &mut line).await.map_err(|error| error.to_string())?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) => Err("it broke off".into()),
    }
}

/// Whether a watcher of the status should see this phase, however short it was.
fn is_milestone(phase: Phase) -> bool {
    match phase {
        Phase::Recording | Phase::Paused | Phase::Canceled | Phase::Callback | Phase::Finished => true,
        Phase::Normal | Phase::Transcode | Phase::Upload => false,
    }
}

fn replace_if_other<T: PartialEq>(before: &mut Option<T>, now: Option<T>) -> bool {
    let other = *before != now;
    if other {
        *before = now;
    }
    other
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
