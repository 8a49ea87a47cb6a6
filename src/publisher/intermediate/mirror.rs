//! The thread that copies a session into a bucket while it is recorded.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::copy::{Copy, CopyError};
use crate::egress::Resolver;
use crate::session::event::PublisherEvent;
use crate::session::folder::{PublisherRun, SessionDir};
use crate::session::request::Intermediate;

/// Parts grow without a word: somebody looks this often.
const LOOK: Duration = Duration::from_millis(500);
/// What failed is tried again after this long.
const AGAIN: Duration = Duration::from_secs(5);

/// Copies a session into a bucket for as long as it lives.
pub struct Mirror(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Copies of all that is there that were asked for, and made.
    asked: u64,
    made: u64,
    /// Those that nothing came of.
    failed: u64,
    /// Remove the media once all is there.
    remove: bool,
    /// No more copies are wanted, or can be had.
    over: bool,
}

impl Mirror {
    /// Begins to copy. The run's `RunStarted` is journaled; what cannot be copied is a warning there.
    pub fn start(
        session: &Arc<SessionDir>,
        run: &Arc<PublisherRun>,
        intermediate: &Intermediate,
        resolver: &Resolver,
    ) -> std::io::Result<Mirror> {
        let shared = Arc::<Shared>::default();
        let work = Work {
            session: Arc::clone(session),
            run: Arc::clone(run),
            intermediate: intermediate.clone(),
            resolver: resolver.clone(),
            shared: Arc::clone(&shared),
            failing: false,
        };
        std::thread::Builder::new().name("mirror".into()).spawn(move || work.run())?;
        Ok(Mirror(shared))
    }

    /// Waits until all that is in the session now is in the bucket, at most for so long. It blocks. False: it is
    /// not there.
    pub fn flush(&self, within: Duration) -> bool {
        let mut state = self.0.lock();
        state.asked += 1;
        let wanted = state.asked;
        self.0.changed.notify_all();
        let waiting = |state: &mut State| state.made.max(state.failed) < wanted && !state.over;
        let waited = self.0.changed.wait_timeout_while(state, within, waiting);
        waited.unwrap_or_else(PoisonError::into_inner).0.made >= wanted
    }

    /// Like [`Mirror::flush`], and then the media are removed: they were delivered.
    pub fn flush_and_remove(&self, within: Duration) -> bool {
        self.0.lock().remove = true;
        self.flush(within)
    }
}

impl Drop for Mirror {
    /// The thread ends by itself; it may be in the middle of a try.
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something is asked for, or so long. None: it is over.
    fn next(&self, wait: Duration) -> Option<Turn> {
        let idle = |state: &mut State| state.asked == state.made && !state.over;
        let state = self.changed.wait_timeout_while(self.lock(), wait, idle);
        let state = state.unwrap_or_else(PoisonError::into_inner).0;
        (!state.over).then_some(Turn { asked: state.asked, all: state.asked > state.made, remove: state.remove })
    }

    /// Lets so much time pass, unless it is over.
    fn pause(&self, time: Duration) {
        drop(self.changed.wait_timeout_while(self.lock(), time, |state| !state.over));
    }

    fn made(&self, asked: u64) {
        self.lock().made = asked;
        self.changed.notify_all();
    }

    fn failed(&self, asked: u64) {
        self.lock().failed = asked;
        self.changed.notify_all();
    }

    fn end(&self) {
        self.lock().over = true;
        self.changed.notify_all();
    }
}

/// What the thread is to do next.
struct Turn {
    asked: u64,
    /// Copy to the last byte.
    all: bool,
    remove: bool,
}

struct Work {
    session: Arc<SessionDir>,
    run: Arc<PublisherRun>,
    intermediate: Intermediate,
    resolver: Resolver,
    shared: Arc<Shared>,
    /// Nothing came of the last try.
    failing: bool,
}

impl Work {
    fn run(mut self) {
        let mut copy = None;
        let mut wait = Duration::ZERO;
        while let Some(turn) = self.shared.next(wait) {
            wait = match self.turn(&mut copy, &turn) {
                Ok(()) => {
                    self.recovered();
                    self.shared.made(turn.asked);
                    LOOK
                }
                Err(CopyError::Superseded) => break,
                Err(error) => {
                    self.failed(&error);
                    self.shared.failed(turn.asked);
                    // Also where somebody waits for the copy: they have a deadline.
                    self.shared.pause(AGAIN);
                    LOOK
                }
            };
        }
        self.shared.end();
    }

    fn turn(&self, copy: &mut Option<Copy>, turn: &Turn) -> Result<(), CopyError> {
        let copy = match copy {
            Some(copy) => copy,
            None => {
                let opened = Copy::open(&self.session, self.run.number(), &self.intermediate, &self.resolver)?;
                if let Some(text) = opened.unknown() {
                    self.warn(text);
                }
                copy.insert(opened)
            }
        };
        copy.turn(turn.all)?;
        if turn.remove { copy.remove_media() } else { Ok(()) }
    }

    fn failed(&mut self, error: &CopyError) {
        if self.failing {
            return tracing::debug!(%error, "still not copied into the bucket");
        }
        self.failing = true;
        self.warn(format!("the recording is not being kept in the bucket, but on its disk alone: {error}"));
    }

    fn recovered(&mut self) {
        if std::mem::take(&mut self.failing) {
            self.warn("the recording is kept in the bucket again".to_owned());
        }
    }

    fn warn(&self, text: String) {
        tracing::warn!("{text}");
        if let Err(error) = self.run.append(PublisherEvent::Warning { text }) {
            tracing::warn!(%error, "the warning could not be journaled");
        }
    }
}
