//! The janitor on real folders: what goes, what stays, and what is never touched.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::core::DeserializeGuard;
use panorec::janitor::{Claim, Cluster, Deed, Expired, Mode, Need, Retention, Swept, sweep};
use panorec::resource::Recording;
use panorec::session::folder::{PublisherRun, RecorderRun, SessionDir};
use serde_json::{Value, json};
use tempfile::TempDir;

const DAY: Duration = Duration::from_secs(86_400);
const RETENTION: Retention = Retention { parts: DAY, finished: Duration::from_secs(7 * 86_400), unfinished: DAY };
const LESSON: &str = "school/lesson/0b9b4e3a-7d52-4f3c-9a56-2f2d0a0c9b11";
const OTHER: &str = "school/other/7c9b4e3a-7d52-4f3c-9a56-2f2d0a0c9b22";

/// A claim in a folder of its own, and what the cluster knows of it.
struct World {
    dir: TempDir,
    recordings: Vec<Value>,
    pods: Vec<Value>,
}

impl World {
    fn new() -> World {
        World { dir: tempfile::tempdir().unwrap(), recordings: Vec::new(), pods: Vec::new() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// A session with a part, as a recorder leaves it.
    fn session(&self, path: &str) {
        SessionDir::prepare(self.dir.path(), &path.parse().unwrap()).unwrap();
        fs::write(self.path(path).join("recorder/parts/1-1.webm"), "part").unwrap();
    }

    /// … and with its file and its result.
    fn finished(&self, path: &str) {
        self.session(path);
        fs::write(self.path(path).join("publisher/output/lesson.mp4"), "video").unwrap();
        fs::write(self.path(path).join("publisher/result.json"), "{}").unwrap();
    }

    fn recording(&mut self, path: &str, status: Value, annotations: Value) {
        let [namespace, name, uid] = split(path);
        self.recordings.push(json!({
            "apiVersion": "panorec.dev/v1alpha1", "kind": "Recording",
            "metadata": { "namespace": namespace, "name": name, "uid": uid, "annotations": annotations },
            "spec": { "url": "https://school.example/" }, "status": status
        }));
    }

    fn pod(&mut self, path: &str, phase: &str) {
        let [namespace, name, uid] = split(path);
        self.pods.push(json!({
            "metadata": { "namespace": namespace, "name": name, "labels": { "panorec.dev/recording-uid": uid } },
            "status": { "phase": phase }
        }));
    }

    fn sweep(&self, mode: Mode) -> (BTreeMap<String, Deed>, Swept) {
        self.sweep_of(None, mode)
    }

    fn sweep_of(&self, namespace: Option<&str>, mode: Mode) -> (BTreeMap<String, Deed>, Swept) {
        let recordings: Vec<DeserializeGuard<Recording>> =
            self.recordings.iter().map(|recording| serde_json::from_value(recording.clone()).unwrap()).collect();
        let pods: Vec<Pod> = self.pods.iter().map(|pod| serde_json::from_value(pod.clone()).unwrap()).collect();
        let claim = Claim::open(self.dir.path()).unwrap();
        let scan = claim.scan(namespace).unwrap();
        let cluster = Cluster::of(&recordings, &pods);
        let mut done = BTreeMap::new();
        let swept = sweep(&claim, scan, &cluster, &RETENTION, mode, Timestamp::now(), &mut |path, what| {
            done.insert(path.display().to_string(), what.deed.clone());
        });
        (done, swept)
    }

    /// All that is on the claim.
    fn everything(&self) -> Vec<PathBuf> {
        let mut all = Vec::new();
        walk(self.dir.path(), &mut |path| all.push(path.to_owned()));
        all.sort();
        all
    }
}

fn split(path: &str) -> [&str; 3] {
    path.split('/').collect::<Vec<_>>().try_into().unwrap()
}

fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        visit(&path);
        if path.symlink_metadata().unwrap().is_dir() {
            walk(&path, visit);
        }
    }
}

/// Makes all that is in a folder as old as this.
fn age(folder: &Path, age: Duration) {
    let then = SystemTime::now() - age;
    walk(folder, &mut |path| {
        if !path.is_symlink() {
            File::open(path).unwrap().set_modified(then).unwrap();
        }
    });
    File::open(folder).unwrap().set_modified(then).unwrap();
}

fn finished() -> Value {
    json!({ "phase": "finished" })
}

#[test]
fn a_folder_without_its_recording_goes_in_its_time_and_leaves_nothing() {
    let world = World::new();
    world.finished(LESSON);
    world.session(OTHER);
    age(&world.path(LESSON), 6 * DAY);
    age(&world.path(OTHER), DAY / 2);
    let (done, _) = world.sweep(Mode::Remove);
    assert_eq!(done[LESSON], Deed::Keep(Need::EndedLately));
    assert_eq!(done[OTHER], Deed::Keep(Need::LivedLately));
    age(&world.path(LESSON), 8 * DAY);
    age(&world.path(OTHER), 2 * DAY);
    let before = world.everything();
    let (would, _) = world.sweep(Mode::DryRun);
    assert_eq!(world.everything(), before, "a dry run changes nothing");
    let (done, swept) = world.sweep(Mode::Remove);
    assert_eq!(done[LESSON], Deed::Remove(Expired::Finished));
    assert_eq!(done[OTHER], Deed::Remove(Expired::Unfinished));
    assert_eq!((would.get(LESSON), would.get(OTHER)), (done.get(LESSON), done.get(OTHER)));
    assert_eq!((swept.removed, swept.empty, swept.failed), (2, 3, 0));
    assert!(world.everything().is_empty());
}

#[test]
fn a_finished_recording_loses_its_parts_and_keeps_its_file() {
    let mut world = World::new();
    world.finished(LESSON);
    world.recording(LESSON, finished(), json!({}));
    age(&world.path(LESSON), DAY / 2);
    assert_eq!(world.sweep(Mode::Remove).0[LESSON], Deed::Keep(Need::EndedLately));
    age(&world.path(LESSON), 2 * DAY);
    assert_eq!(world.sweep(Mode::Remove).0[LESSON], Deed::RemoveParts);
    let parts = world.path(LESSON).join("recorder/parts");
    assert_eq!(fs::read_dir(&parts).unwrap().count(), 0);
    assert_eq!(fs::metadata(&parts).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read(world.path(LESSON).join("publisher/output/lesson.mp4")).unwrap(), b"video");
    assert_eq!(world.sweep(Mode::Remove).0[LESSON], Deed::Keep(Need::RecordingIsThere));
}

#[test]
fn what_was_delivered_elsewhere_leaves_only_what_tells_of_it() {
    let mut world = World::new();
    world.finished(LESSON);
    world.recording(LESSON, finished(), json!({}));
    let delivery = json!({
        "taskId": "lesson", "format": "MP4", "destination": { "folder": { "path": "/videos" } },
        "name": "lesson", "segmentSeconds": 30, "thumbnail": false, "contactSheet": false, "removeSession": false
    });
    fs::write(world.path(LESSON).join("publisher/delivery.json"), delivery.to_string()).unwrap();
    age(&world.path(LESSON), 2 * DAY);
    assert_eq!(world.sweep(Mode::Remove).0[LESSON], Deed::RemoveMedia);
    assert!(!world.path(LESSON).join("publisher/output/lesson.mp4").exists());
    assert!(world.path(LESSON).join("publisher/result.json").exists());
    assert_eq!(world.sweep(Mode::Remove).0[LESSON], Deed::Keep(Need::RecordingIsThere));
}

#[test]
fn what_something_needs_stays_however_old_it_is() {
    let mut world = World::new();
    let keeps = |world: &World, need: Need| {
        age(&world.path(LESSON), 100 * DAY);
        let before = world.everything();
        assert_eq!(world.sweep(Mode::Remove).0[LESSON], Deed::Keep(need));
        assert_eq!(world.everything(), before);
    };
    world.finished(LESSON);
    let session = SessionDir::open_halves(&world.path(LESSON)).unwrap();
    let recorder = RecorderRun::claim(&session).unwrap();
    keeps(&world, Need::RecorderLives);
    drop(recorder);
    let publisher = PublisherRun::claim(&session).unwrap();
    keeps(&world, Need::PublisherLives);
    drop(publisher);
    world.pod(LESSON, "Succeeded");
    world.pod(LESSON, "Running");
    keeps(&world, Need::PodRuns);
    world.pods.clear();
    world.recording(LESSON, json!({ "phase": "paused" }), json!({}));
    keeps(&world, Need::NotFinished);
    world.recordings.clear();
    world.recording(LESSON, finished(), json!({ "panorec.dev/republish": "2" }));
    keeps(&world, Need::Republishing);
    // Stored before the rules of its definition: nobody can tell that it is finished.
    world.recordings[0]["spec"] = json!({ "url": 7 });
    keeps(&world, Need::NotFinished);
    world.recordings.clear();
    world.pod(LESSON, "Failed");
    assert_eq!(world.sweep(Mode::Remove).0[LESSON], Deed::Remove(Expired::Finished));
}

#[test]
fn a_recording_of_the_same_name_does_not_keep_an_older_one() {
    let mut world = World::new();
    world.finished(LESSON);
    age(&world.path(LESSON), 8 * DAY);
    world.recording(&LESSON.replace("9b11", "9b12"), json!({ "phase": "recording" }), json!({}));
    world.recording(&LESSON.replace("school/", "college/"), finished(), json!({}));
    assert_eq!(world.sweep(Mode::Remove).0[LESSON], Deed::Remove(Expired::Finished));
    assert!(world.path("school/lesson").exists(), "the new one's pod may be about to make its folder");
}

#[test]
fn links_and_what_is_no_session_are_left_alone() {
    let world = World::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let [_, name, uid] = split(LESSON);
    let outside = elsewhere.path().join("school").join(name).join(uid);
    fs::create_dir_all(outside.join("recorder/parts")).unwrap();
    age(elsewhere.path(), 100 * DAY);
    symlink(elsewhere.path().join("school"), world.path("linked")).unwrap();
    fs::create_dir_all(world.path("school")).unwrap();
    symlink(elsewhere.path().join("school").join(name), world.path("school/linked")).unwrap();
    fs::create_dir(world.path("school/lesson")).unwrap();
    symlink(&outside, world.path(LESSON)).unwrap();
    fs::create_dir_all(world.path("school/lesson/notes")).unwrap();
    fs::write(world.path("school/lesson/file"), "").unwrap();
    fs::write(world.path("school/readme.txt"), "").unwrap();
    fs::create_dir_all(world.path("lost+found")).unwrap();
    fs::create_dir_all(world.path("Other Things/within")).unwrap();
    let before = world.everything();
    let (done, swept) = world.sweep(Mode::Remove);
    assert!(done.is_empty(), "{done:?}");
    assert_eq!(world.everything(), before);
    assert!(outside.join("recorder/parts").exists());
    assert_eq!(swept, Swept { foreign: 7, ..Swept::default() });
}

#[test]
fn nothing_that_a_page_leaves_behind_stops_the_removal_or_leads_out_of_it() {
    let world = World::new();
    world.session(LESSON);
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("precious"), "x").unwrap();
    let recorder = world.path(LESSON).join("recorder");
    symlink(elsewhere.path(), recorder.join("parts/link")).unwrap();
    fs::remove_dir(recorder.join("runs")).unwrap();
    symlink(elsewhere.path(), recorder.join("runs")).unwrap();
    // Deeper than files may be open, and than a path may be long.
    let mut deep = rustix::fs::open(&recorder, rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
    for _ in 0..3_000 {
        rustix::fs::mkdirat(&deep, "deep", rustix::fs::Mode::RWXU).unwrap();
        deep = rustix::fs::openat(&deep, "deep", rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
    }
    fs::create_dir_all(recorder.join("locked/inner")).unwrap();
    fs::write(recorder.join("locked/inner/file"), "").unwrap();
    fs::set_permissions(recorder.join("locked/inner"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(recorder.join("locked"), fs::Permissions::from_mode(0o500)).unwrap();
    for path in ["recorder", "publisher", "publisher/runs", ""] {
        let folder = File::open(world.path(LESSON).join(path)).unwrap();
        folder.set_modified(SystemTime::now() - 2 * DAY).unwrap();
    }
    let (done, swept) = world.sweep(Mode::Remove);
    assert_eq!(done[LESSON], Deed::Remove(Expired::Unfinished), "{swept}");
    assert!(world.everything().is_empty());
    assert!(elsewhere.path().join("precious").exists());
}

#[test]
fn a_broken_off_removal_is_finished_by_the_next_run() {
    let mut world = World::new();
    world.finished(LESSON);
    world.finished(OTHER);
    world.recording(OTHER, finished(), json!({}));
    age(&world.path(OTHER), 2 * DAY);
    let hidden = LESSON.replace("lesson/", "lesson/.removing-");
    fs::rename(world.path(LESSON), world.path(&hidden)).unwrap();
    let recorder = world.path(OTHER).join("recorder");
    fs::rename(recorder.join("parts"), recorder.join(".removing-parts")).unwrap();
    let (done, _) = world.sweep(Mode::DryRun);
    assert_eq!(done[&hidden], Deed::RemoveRest);
    assert!(world.path(&hidden).exists());
    let (done, _) = world.sweep(Mode::Remove);
    assert_eq!(done[&hidden], Deed::RemoveRest);
    assert_eq!(done[OTHER], Deed::RemoveParts);
    assert!(!world.path("school/lesson").exists());
    assert_eq!(fs::read_dir(&recorder).unwrap().count(), 2);
}

#[test]
fn one_namespace_is_looked_at_where_one_is_named() {
    let world = World::new();
    let far = OTHER.replace("school", "college");
    for path in [LESSON, &far] {
        world.finished(path);
        age(&world.path(path), 8 * DAY);
    }
    let (done, _) = world.sweep_of(Some("school"), Mode::Remove);
    assert!(done.contains_key(LESSON) && !done.contains_key(&far));
    assert!(world.path(&far).exists() && !world.path("school").exists());
    assert_eq!(world.sweep_of(Some("nowhere"), Mode::Remove).1, Swept::default());
}

/// Without a cluster nothing is removed, and the caller hears of it.
#[test]
fn without_the_api_server_nothing_is_removed() {
    let world = World::new();
    world.finished(LESSON);
    age(&world.path(LESSON), 100 * DAY);
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "none",
        "clusters": [{ "name": "none", "cluster": { "server": "http://127.0.0.1:9" } }],
        "contexts": [{ "name": "none", "context": { "cluster": "none", "user": "none" } }],
        "users": [{ "name": "none", "user": {} }]
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), config.to_string()).unwrap();
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_panorec"))
        .args(["janitor", "--keep-finished-seconds", "0", "--root"])
        .arg(world.dir.path())
        .env("KUBECONFIG", file.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{said}");
    assert!(said.contains("nothing was removed"), "{said}");
    assert!(world.path(LESSON).join("publisher/result.json").exists());
}
