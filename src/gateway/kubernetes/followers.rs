//! Who waits for a Recording to change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{StreamExt, stream};
use tokio::sync::watch;

use crate::gateway::Changes;

/// Namespace and name.
pub(super) type Key = (String, String);

/// Followers by the Recording that they follow. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Followers(Arc<Mutex<HashMap<Key, watch::Sender<()>>>>);

/// One of them; with the last one of a Recording its entry goes.
struct Follower {
    key: Key,
    changes: watch::Receiver<()>,
    followers: Followers,
}

impl Followers {
    /// Tells the followers of a Recording that it has changed.
    pub(super) fn tell(&self, key: &Key) {
        if let Some(changes) = self.lock().get(key) {
            changes.send_replace(());
        }
    }

    /// Tells all of them.
    pub(super) fn tell_all(&self) {
        self.lock().values().for_each(|changes| changes.send_replace(()));
    }

    /// When a Recording changes from now on, whether it is there or not.
    pub(super) fn follow(&self, key: Key) -> Changes {
        let changes = self.lock().entry(key.clone()).or_default().subscribe();
        let follower = Follower { key, changes, followers: self.clone() };
        let changed = stream::unfold(follower, |mut follower| async move {
            follower.changes.changed().await.ok().map(|()| ((), follower))
        });
        changed.boxed()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut followers = self.followers.lock();
        if followers.get(&self.key).is_some_and(|changes| changes.receiver_count() == 1) {
            followers.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_change_is_told_to_those_who_follow_and_to_nobody_else() {
        let followers = Followers::default();
        let key = |name: &str| ("school".to_owned(), name.to_owned());
        let mut told = followers.follow(key("lesson"));
        let mut other = followers.follow(key("other"));
        assert!(told.next().now_or_never().is_none());
        followers.tell(&key("lesson"));
        assert_eq!(told.next().now_or_never(), Some(Some(())));
        assert!(told.next().now_or_never().is_none() && other.next().now_or_never().is_none());
        followers.tell_all();
        assert_eq!(other.next().now_or_never(), Some(Some(())));
        let again = followers.follow(key("lesson"));
        drop(told);
        assert_eq!(followers.lock().len(), 2);
        drop((again, other));
        assert!(followers.lock().is_empty());
    }
}
