//! One Recording, as a watch tells of it, and its session on the volume.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cluster::{get, kubectl};
use super::{Space, wait};

/// Watches one Recording from before it is there.
pub struct Watched {
    pub name: String,
    pub namespace: String,
    volume: PathBuf,
    seen: Arc<Mutex<Vec<(Instant, Value)>>>,
    watch: Child,
}

impl Watched {
    pub fn new(space: &Space, name: &str) -> Watched {
        let selector = format!("--field-selector=metadata.name={name}");
        let mut watch = Command::new("kubectl")
            .args(["get", "recordings", "-n", &space.name, &selector, "-o", "json", "--watch"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("kubectl starts");
        let stdout = BufReader::new(watch.stdout.take().expect("piped"));
        let seen = Arc::<Mutex<Vec<(Instant, Value)>>>::default();
        std::thread::spawn({
            let seen = seen.clone();
            move || {
                for object in objects(stdout) {
                    seen.lock().expect("not poisoned").push((Instant::now(), object));
                }
            }
        });
        let (namespace, volume) = (space.name.clone(), space.folder().to_owned());
        Watched { name: name.into(), namespace, volume, seen, watch }
    }

    /// Watches the same one anew: a watch that broke does not come back.
    pub fn again(space: &Space, other: &Watched) -> Watched {
        let watched = Watched::new(space, &other.name);
        watched.until("seen again", Duration::from_secs(30), |_| true);
        watched
    }

    /// Everything that the watch has told so far.
    pub fn seen(&self) -> Vec<Value> {
        self.seen.lock().expect("not poisoned").iter().map(|(_, value)| value.clone()).collect()
    }

    /// Waits for a state that the watch tells; returns it and when it came.
    pub fn until(&self, what: &str, deadline: Duration, is_it: impl Fn(&Value) -> bool) -> (Instant, Value) {
        wait(&format!("{} to be {what}", self.name), deadline, || {
            let seen = self.seen.lock().expect("not poisoned");
            seen.iter().find(|(_, object)| is_it(object)).cloned()
        })
    }

    /// Waits for a phase.
    pub fn phase(&self, phase: &str, deadline: u64) -> (Instant, Value) {
        self.until(phase, Duration::from_secs(deadline), |object| object["status"]["phase"] == phase)
    }

    /// Waits for the newest state to be so.
    pub fn now(&self, what: &str, deadline: u64, is_it: impl Fn(&Value) -> bool) -> Value {
        wait(&format!("{} to be {what}", self.name), Duration::from_secs(deadline), || {
            let seen = self.seen.lock().expect("not poisoned");
            seen.last().filter(|(_, object)| is_it(object)).map(|(_, object)| object.clone())
        })
    }

    /// The phases in the order in which they were seen.
    pub fn phases(&self) -> Vec<String> {
        let mut phases = Vec::new();
        for object in self.seen() {
            let phase = object["status"]["phase"].as_str().unwrap_or("").to_owned();
            if !phase.is_empty() && phases.last() != Some(&phase) {
                phases.push(phase);
            }
        }
        phases
    }

    /// Says what is wanted; `revision` is raised as the gateway does.
    pub fn tell(&self, intent: Value) {
        let patch = json!({ "spec": { "intent": intent } }).to_string();
        kubectl(&["patch", "recording", &self.name, "-n", &self.namespace, "--type=merge", "-p", &patch]);
    }

    pub fn annotate(&self, annotation: &str) {
        kubectl(&["annotate", "recording", &self.name, "-n", &self.namespace, "--overwrite", annotation]);
    }

    pub fn delete(&self) {
        kubectl(&["delete", "recording", &self.name, "-n", &self.namespace, "--wait=false"]);
    }

    pub fn object(&self) -> Value {
        get(&["recording", &self.name, "-n", &self.namespace])
    }

    pub fn uid(&self) -> String {
        wait(&format!("{} to be there", self.name), Duration::from_secs(30), || {
            Some(self.seen().first()?["metadata"]["uid"].as_str()?.to_owned())
        })
    }

    /// The session's folder.
    pub fn session(&self) -> PathBuf {
        self.volume.join(&self.namespace).join(&self.name).join(self.uid())
    }

    /// Events of the recorder's journals, in order.
    pub fn journal(&self) -> Vec<Value> {
        journals(&self.session().join("recorder/runs"))
    }

    /// Events of the publisher's journals.
    pub fn publisher_journal(&self) -> Vec<Value> {
        journals(&self.session().join("publisher/runs"))
    }

    /// Waits until the recorder's journal has had an event of this name so often.
    pub fn event(&self, name: &str, count: usize, deadline: u64) -> Value {
        wait(&format!("event {name} of {}", self.name), Duration::from_secs(deadline), || {
            let events: Vec<Value> = self.journal().into_iter().filter(|event| event["event"] == name).collect();
            events.get(count - 1).cloned()
        })
    }

    /// The finished files.
    pub fn output(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(self.session().join("publisher/output"))
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        files.sort();
        files
    }

    /// result.json; written after the last event, which the status follows.
    pub fn result(&self) -> Value {
        let path = self.session().join("publisher/result.json");
        let text = wait("a result", Duration::from_secs(10), || std::fs::read_to_string(&path).ok());
        serde_json::from_str(&text).expect("JSON")
    }

    /// The pods of this recording.
    pub fn pods(&self) -> Vec<Value> {
        let selector = format!("panorec.dev/recording-uid={}", self.uid());
        get(&["pods", "-n", &self.namespace, "-l", &selector])["items"].as_array().cloned().unwrap_or_default()
    }

    pub fn jobs(&self) -> Vec<Value> {
        let selector = format!("panorec.dev/recording-uid={}", self.uid());
        get(&["jobs", "-n", &self.namespace, "-l", &selector])["items"].as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.watch.kill();
        let _ = self.watch.wait();
    }
}

/// The JSON objects that follow each other on a stream.
fn objects(stream: impl BufRead) -> impl Iterator<Item = Value> {
    serde_json::Deserializer::from_reader(stream).into_iter::<Value>().map_while(Result::ok)
}

fn journals(runs: &Path) -> Vec<Value> {
    let mut numbers: Vec<u32> = std::fs::read_dir(runs)
        .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
        .unwrap_or_default();
    numbers.sort_unstable();
    let text = |run: u32| std::fs::read_to_string(runs.join(run.to_string()).join("journal.jsonl")).unwrap_or_default();
    let lines = |text: String| text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<Value>>();
    numbers.into_iter().flat_map(|run| lines(text(run))).collect()
}
