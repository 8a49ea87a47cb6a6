//! The Recordings as a watch tells them, and what this gateway wrote since: never older than its own writes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::core::DeserializeGuard;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};

use super::followers::{Followers, Key};
use crate::gateway::{Census, Changes};
use crate::resource::Recording;
use crate::session::fold::Phase;

/// What was written and is not told by the watch after so long has been deleted meanwhile.
const UNTOLD: Duration = Duration::from_secs(10);

/// Recordings by namespace and name. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Cache {
    known: Arc<RwLock<Known>>,
    followers: Followers,
}

#[derive(Default)]
struct Known {
    namespaces: HashMap<String, HashMap<String, Entry>>,
    /// Whether all that there is has been told once.
    filled: bool,
}

struct Entry {
    recording: Arc<Recording>,
    /// When this gateway wrote it, until the watch tells of it.
    untold: Option<Instant>,
}

impl Entry {
    fn is_gone(&self) -> bool {
        self.untold.is_some_and(|at| at.elapsed() > UNTOLD)
    }
}

impl Cache {
    /// Begins to watch a namespace, or all of them; goes on for as long as the process lives.
    pub(super) fn watch(client: &Client, namespace: Option<&str>) -> Cache {
        let api: Api<DeserializeGuard<Recording>> = match namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        let cache = Cache::default();
        let told = cache.clone();
        tokio::spawn(async move {
            let mut listed = None;
            let mut events = watcher(api, watcher::Config::default()).default_backoff().boxed();
            while let Some(event) = events.next().await {
                match event {
                    Ok(event) => told.heed(event, &mut listed),
                    // It goes on by itself, after a while.
                    Err(error) => tracing::warn!(%error, "the watch broke"),
                }
            }
        });
        cache
    }

    pub(super) fn is_filled(&self) -> bool {
        self.read().filled
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<Arc<Recording>> {
        let known = self.read();
        let entry = known.namespaces.get(namespace)?.get(name)?;
        (!entry.is_gone()).then(|| Arc::clone(&entry.recording))
    }

    pub(super) fn list(&self, namespace: &str) -> Vec<Arc<Recording>> {
        let known = self.read();
        let entries = known.namespaces.get(namespace).into_iter().flat_map(HashMap::values);
        entries.filter(|entry| !entry.is_gone()).map(|entry| Arc::clone(&entry.recording)).collect()
    }

    /// When a Recording changes from now on.
    pub(super) fn changes(&self, namespace: &str, name: &str) -> Changes {
        self.followers.follow((namespace.to_owned(), name.to_owned()))
    }

    /// How many Recordings there are in each phase.
    pub(super) fn census(&self, phase: impl Fn(&Recording) -> Phase) -> Census {
        let known = self.read();
        let entries = known.namespaces.values().flat_map(HashMap::values).filter(|entry| !entry.is_gone());
        let mut census = Census::new();
        for entry in entries {
            *census.entry(phase(&entry.recording)).or_default() += 1;
        }
        census
    }

    /// Takes in an object as the API server has just answered with it.
    pub(super) fn wrote(&self, recording: Recording) -> Arc<Recording> {
        let recording = Arc::new(stripped(recording));
        let key = key(&recording);
        let (namespace, name) = key.clone();
        let mut known = self.write();
        let entries = known.namespaces.entry(namespace).or_default();
        if let Some(entry) = entries.get(&name)
            && !is_newer(&recording, &entry.recording)
            && !entry.is_gone()
        {
            return Arc::clone(&entry.recording);
        }
        entries.insert(name, Entry { recording: Arc::clone(&recording), untold: Some(Instant::now()) });
        drop(known);
        self.followers.tell(&key);
        recording
    }

    /// Takes in what the watch tells; `listed`: the names that a list which has begun has told so far.
    fn heed(&self, event: watcher::Event<DeserializeGuard<Recording>>, listed: &mut Option<HashSet<Key>>) {
        match event {
            watcher::Event::Init => *listed = Some(HashSet::new()),
            watcher::Event::InitApply(object) => {
                if let Ok(recording) = object.0 {
                    listed.get_or_insert_default().insert(key(&recording));
                    self.told(recording);
                }
            }
            watcher::Event::InitDone => {
                let listed = listed.take().unwrap_or_default();
                let mut known = self.write();
                for (namespace, entries) in &mut known.namespaces {
                    // What was written while they were listed may not be among them.
                    entries.retain(|name, entry| {
                        entry.untold.is_some() || listed.contains(&(namespace.clone(), name.clone()))
                    });
                }
                known.filled = true;
                drop(known);
                self.followers.tell_all();
            }
            watcher::Event::Apply(object) => match object.0 {
                Ok(recording) => self.told(recording),
                Err(invalid) => self.forget(&invalid.metadata, false),
            },
            watcher::Event::Delete(object) => match object.0 {
                Ok(recording) => self.forget(&recording.metadata, true),
                Err(invalid) => self.forget(&invalid.metadata, true),
            },
        }
    }

    fn told(&self, recording: Recording) {
        let recording = Arc::new(stripped(recording));
        let key = key(&recording);
        let (namespace, name) = key.clone();
        let mut known = self.write();
        let entries = known.namespaces.entry(namespace).or_default();
        match entries.get_mut(&name) {
            // The watch is behind this gateway's own write.
            Some(entry) if entry.untold.is_some() && is_newer(&entry.recording, &recording) => {}
            _ => drop(entries.insert(name, Entry { recording, untold: None })),
        }
        drop(known);
        self.followers.tell(&key);
    }

    fn forget(&self, metadata: &kube::api::ObjectMeta, deleted: bool) {
        let (Some(namespace), Some(name)) = (&metadata.namespace, &metadata.name) else { return };
        let mut known = self.write();
        let Some(entries) = known.namespaces.get_mut(namespace) else { return };
        let is_this = |entry: &Entry| !deleted || entry.recording.metadata.uid == metadata.uid;
        if entries.get(name).is_some_and(is_this) {
            entries.remove(name);
        }
        drop(known);
        self.followers.tell(&(namespace.clone(), name.clone()));
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `one` was written later than `other`, of the same name. Of the same spec, the watch has the newer status.
fn is_newer(one: &Recording, other: &Recording) -> bool {
    match one.metadata.uid == other.metadata.uid {
        true => one.metadata.generation > other.metadata.generation,
        // Made anew under the same name.
        false => one.metadata.creation_timestamp >= other.metadata.creation_timestamp,
    }
}

/// Without what nobody here asks for: it is most of an object.
fn stripped(mut recording: Recording) -> Recording {
    recording.metadata.managed_fields = None;
    if let Some(status) = &mut recording.status {
        status.conditions = Vec::new();
        status.pauses = None;
        status.gaps = None;
        status.warnings = Vec::new();
    }
    recording
}

fn key(recording: &Recording) -> Key {
    (recording.namespace().unwrap_or_default(), recording.name_any())
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event;

    use super::*;

    fn recording(generation: i64, phase: &str) -> Recording {
        let object = serde_json::json!({
            "apiVersion": "panorec.dev/v1alpha1", "kind": "Recording",
            "metadata": { "name": "lesson", "namespace": "school", "uid": "1", "generation": generation },
            "spec": { "url": "https://school.example/" }, "status": { "phase": phase },
        });
        serde_json::from_value(object).unwrap()
    }

    fn told(cache: &Cache, recording: Recording) {
        cache.heed(Event::Apply(DeserializeGuard(Ok(recording))), &mut None);
    }

    fn known(cache: &Cache) -> Option<(Option<i64>, String)> {
        let recording = cache.get("school", "lesson")?;
        let phase = recording.status.as_ref().map(|status| status.phase.to_string()).unwrap_or_default();
        Some((recording.metadata.generation, phase))
    }

    #[test]
    fn it_is_never_older_than_what_was_written() {
        let cache = Cache::default();
        cache.wrote(recording(2, "normal"));
        told(&cache, recording(1, "normal"));
        assert_eq!(known(&cache), Some((Some(2), "normal".into())), "the watch is behind");
        told(&cache, recording(2, "recording"));
        cache.wrote(recording(2, "normal"));
        assert_eq!(known(&cache), Some((Some(2), "recording".into())), "the answer is behind");
        cache.wrote(recording(3, "recording"));
        assert_eq!(known(&cache), Some((Some(3), "recording".into())));
    }

    #[test]
    fn what_is_gone_is_not_known() {
        let cache = Cache::default();
        told(&cache, recording(1, "recording"));
        cache.heed(Event::Delete(DeserializeGuard(Ok(recording(1, "recording")))), &mut None);
        assert_eq!(known(&cache), None);
        told(&cache, recording(1, "recording"));
        let mut listed = None;
        cache.heed(Event::Init, &mut listed);
        assert!(known(&cache).is_some() && !cache.is_filled(), "as long as they are listed");
        cache.heed(Event::InitDone, &mut listed);
        assert!(known(&cache).is_none() && cache.is_filled());
        cache.wrote(recording(1, "normal"));
        cache.heed(Event::Init, &mut listed);
        cache.heed(Event::InitDone, &mut listed);
        assert!(known(&cache).is_some(), "it was written while they were listed");
    }
}
