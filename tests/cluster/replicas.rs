//! Two operators in the cluster, the way the chart installs them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::basics::{condition, pages};
use crate::media::checks::Checks;
use crate::support::chart::rendered_for;
use crate::support::cluster::{apply, apply_text, get};
use crate::support::pods::kill_container;
use crate::support::{Space, wait};

const RECORDINGS: usize = 4;

/// Two replicas with the rights of one namespace.
fn install(space: &Space) {
    apply_text(&rendered_for(&space.name, &["operator-rbac.yaml", "operator.yaml", "recordings.yaml"]));
    space.kubectl(&["rollout", "status", "deployment/panorec-operator", "--timeout=120s"]);
}

fn leader(space: &Space) -> Option<Value> {
    let leases = space.get("leases");
    let holder =
        leases.iter().find(|lease| lease["metadata"]["name"] == "panorec-operator")?["spec"]["holderIdentity"].clone();
    space.get("pods").into_iter().find(|pod| pod["metadata"]["name"] == holder && pod["status"]["phase"] == "Running")
}

#[test]
fn a_leader_that_dies_during_starts_doubles_nothing() {
    dies(3);
}

#[test]
#[ignore = "takes long: run once for its figure"]
fn a_leader_that_dies_twenty_times_doubles_nothing() {
    dies(20);
}

fn dies(times: usize) {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("replicas");
    install(&space);
    for round in 0..times {
        let name = |n: usize| format!("lesson-{round}-{n}");
        let spec = json!({ "maxDurationSeconds": 120, "width": 320, "height": 180, "frameRate": 10 });
        let items: Vec<Value> =
            (0..RECORDINGS).map(|n| space.recording(&name(n), &server.url("static.html"), spec.clone())).collect();
        let pod = wait("a leader", Duration::from_secs(60), || leader(&space));
        apply(&json!({ "apiVersion": "v1", "kind": "List", "items": items })).expect("applied");
        // It dies with some Jobs made and some not.
        wait("a Job", Duration::from_secs(60), || {
            let jobs = space.get("jobs");
            let of_round = jobs.iter().any(|job| {
                job["metadata"]["ownerReferences"][0]["name"]
                    .as_str()
                    .is_some_and(|owner| owner.starts_with(&format!("lesson-{round}-")))
            });
            of_round.then_some(())
        });
        kill_container(&pod, "operator");
        // With each death the kubelet waits longer to start it again; a new pod knows of none.
        space.kubectl(&["delete", "pod", pod["metadata"]["name"].as_str().expect("a name"), "--wait=false"]);
        let mut told: Vec<String> = Vec::new();
        wait("all of them to finish", Duration::from_secs(300), || {
            let all = get(&["recordings", "-n", &space.name]);
            let all = all["items"].as_array()?;
            for one in all.iter().filter(|one| one["status"]["phase"] == "recording") {
                let name = one["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                if !told.contains(&name) {
                    let stop = r#"{"spec":{"intent":{"state":"Stopped"}}}"#;
                    space.kubectl(&["patch", "recording", &name, "--type=merge", "-p", stop]);
                    told.push(name);
                }
            }
            let done = all.iter().filter(|one| one["status"]["phase"] == "finished").count();
            (done == (round + 1) * RECORDINGS).then_some(())
        });
    }
    let jobs = space.get("jobs");
    for recording in get(&["recordings", "-n", &space.name])["items"].as_array().into_iter().flatten() {
        let name = recording["metadata"]["name"].as_str().unwrap_or("?");
        let uid = &recording["metadata"]["uid"];
        let own = jobs.iter().filter(|job| job["metadata"]["ownerReferences"][0]["uid"] == *uid).count();
        checks.that(name, condition(recording, "Succeeded")["status"] == "True", condition(recording, "Succeeded"));
        checks.that("one Job at most", own <= 1, own);
        checks.that("one run", recording["status"]["recorder"]["runs"] == 1, &recording["status"]["recorder"]);
        let videos = &recording["status"]["result"]["videos"];
        checks.that("one file", videos.as_array().is_some_and(|videos| videos.len() == 1), videos);
    }
    checks.done();
}
