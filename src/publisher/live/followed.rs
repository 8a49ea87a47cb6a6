//! What is known of a recording that goes on: told by whoever follows its journal, waited for by whoever
//! publishes it meanwhile.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::session::fold::{Folded, MediaPart};
use crate::session::name::PartName;

/// Parts grow without a word, and network file systems tell of no change: somebody looks this often.
const LOOK: Duration = Duration::from_millis(500);

/// What has been recorded so far.
#[derive(Debug, Default)]
pub struct Followed {
    known: Mutex<Known>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Known {
    parts: Vec<MediaPart>,
    over: bool,
    abandoned: bool,
}

/// What may still come of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coming {
    /// It grows.
    More,
    /// The journal knows its end, but the last of it may still be on its way to the file.
    Rest,
    Nothing,
}

impl Followed {
    /// Tells what the journal has now. `over`: every part has its end, and nothing will come after them.
    pub fn tell(&self, folded: &Folded, over: bool) {
        let mut known = self.lock();
        known.parts = folded.parts().copied().collect();
        known.over |= over;
        self.changed.notify_all();
    }

    /// Nobody wants what is being published any more.
    pub fn abandon(&self) {
        self.lock().abandoned = true;
        self.changed.notify_all();
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    pub(super) fn is_over(&self) -> bool {
        self.lock().over
    }

    /// The first part after `last`.
    pub(super) fn part_after(&self, last: Option<PartName>) -> Option<MediaPart> {
        self.lock().parts.iter().find(|part| Some(part.name) > last).copied()
    }

    pub(super) fn part(&self, name: PartName) -> Option<MediaPart> {
        self.lock().parts.iter().find(|part| part.name == name).copied()
    }

    pub(super) fn coming(&self, name: PartName) -> Coming {
        let known = self.lock();
        let newer_run = known.parts.iter().any(|part| part.name.run > name.run);
        match known.parts.iter().find(|part| part.name == name) {
            _ if known.over || known.abandoned || newer_run => Coming::Nothing,
            Some(part) if part.end_us.is_none() => Coming::More,
            Some(_) => Coming::Rest,
            // The journal took it back.
            None => Coming::Nothing,
        }
    }

    /// Waits until something was told, or it is time to look at a part again.
    pub(super) fn wait(&self) {
        let known = self.lock();
        // Whoever waits looks again anyway.
        drop(self.changed.wait_timeout(known, LOOK));
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
