//! A Recording that was stored before the rules of its definition hurts only itself.

use std::process::{Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{ListParams, PostParams};
use kube::runtime::wait::await_condition;

use super::*;

const DEADLINE: Duration = Duration::from_secs(60);

/// Ends with its value.
struct Operator(std::process::Child);

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn operator(server: &ApiServer, folder: &std::path::Path) -> Operator {
    let (kubeconfig, key) = (folder.join("kubeconfig"), folder.join("token.key"));
    std::fs::write(&kubeconfig, server.kubeconfig()).unwrap();
    std::fs::write(&key, "0123456789abcdef0123456789abcdef").unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_panorec"))
        .args(["operator", "--namespace", "default", "--listen", "127.0.0.1:0", "--token-key-file"])
        .arg(key)
        .env("KUBECONFIG", kubeconfig)
        .env("PANOREC_IMAGE", "panorec:none")
        .stdin(Stdio::null())
        .stderr(std::fs::File::create(folder.join("log")).unwrap())
        .spawn()
        .unwrap();
    Operator(child)
}

fn accepted(object: Option<&DynamicObject>) -> Option<Value> {
    let conditions = object?.data["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == "Accepted").cloned()
}

#[tokio::test]
async fn a_recording_that_cannot_be_read_hurts_only_itself() {
    let Some(server) = ApiServer::start().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let recordings = with_definition(server.client()).await;
    let definitions: Api<CustomResourceDefinition> = Api::all(server.client());
    let replace = async |version: &Value| {
        let patch = Patch::Merge(json!({ "spec": { "versions": [version] } }));
        definitions.patch(&definition().metadata.name.unwrap(), &PatchParams::default(), &patch).await.unwrap();
    };
    // As a definition without these rules would have let it in, with the finalizer of an operator of that time.
    let strict = serde_json::to_value(&definition().spec.versions[0]).unwrap();
    let mut lax = strict.clone();
    let anything = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    lax["schema"]["openAPIV3Schema"] =
        json!({ "type": "object", "properties": { "spec": anything, "status": anything } });
    replace(&lax).await;
    let mut old = object("old", json!({ "url": fields::PAGE, "ttlSecondsAfterFinished": "soon" }));
    old.metadata.finalizers = Some(vec!["panorec.dev/finish".to_owned()]);
    // The rule that no width changes refuses each write to this one, for it compares numbers.
    let wide = object("wide", json!({ "url": fields::PAGE, "width": "wide" }));
    for malformed in [&old, &wide] {
        // The server takes to its new rules after a moment.
        let taken = async {
            while recordings.create(&PostParams::default(), malformed).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(DEADLINE, taken).await.expect("taken by the lax definition");
    }
    replace(&strict).await;

    let claims: Api<PersistentVolumeClaim> = Api::namespaced(server.client(), "default");
    let claim = json!({ "metadata": { "name": "panorec" }, "spec": {
        "accessModes": ["ReadWriteMany"], "resources": { "requests": { "storage": "1Gi" } } } });
    claims.create(&PostParams::default(), &serde_json::from_value(claim).unwrap()).await.unwrap();
    let _operator = operator(&server, folder.path());
    let other = object("other", json!({ "url": fields::PAGE }));
    recordings.create(&PostParams::default(), &other).await.unwrap();

    let told = |object: Option<&DynamicObject>| accepted(object).is_some();
    let told = tokio::time::timeout(DEADLINE, await_condition(recordings.clone(), "old", told)).await;
    let log = || std::fs::read_to_string(folder.path().join("log")).unwrap();
    let told = told.unwrap_or_else(|_| panic!("it is not told: {}", log())).unwrap().unwrap();
    let condition = accepted(Some(&told)).unwrap();
    println!("    {condition}");
    assert_eq!((&condition["status"], &condition["reason"]), (&json!("False"), &json!("Malformed")));
    assert!(condition["message"].as_str().unwrap().contains("soon"), "{condition}");

    let events: Api<k8s_openapi::api::events::v1::Event> = Api::namespaced(server.client(), "default");
    let of_wide = async |events: &Api<_>| {
        let all = events.list(&ListParams::default()).await.unwrap().items;
        all.into_iter().find(|event: &k8s_openapi::api::events::v1::Event| {
            event.regarding.as_ref().is_some_and(|regarding| regarding.name.as_deref() == Some("wide"))
        })
    };
    let event = tokio::time::timeout(DEADLINE, async {
        loop {
            if let Some(event) = of_wide(&events).await {
                return event;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let event = event.await.unwrap_or_else(|_| panic!("no event: {}", log()));
    println!("    {:?}", event.note);
    assert_eq!(event.reason.as_deref(), Some("Malformed"));
    assert!(event.note.as_ref().is_some_and(|note| note.contains("wide")), "{event:?}");

    let jobs: Api<Job> = Api::namespaced(server.client(), "default");
    let has_job = async {
        while jobs.list(&ListParams::default()).await.unwrap().items.is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(DEADLINE, has_job).await.unwrap_or_else(|_| panic!("the other one has no Job: {}", log()));
    let versions = recordings.get("old").await.unwrap().metadata.resource_version;
    assert_eq!(versions, told.metadata.resource_version, "it is told again and again");

    recordings.delete("old", &DeleteParams::default()).await.unwrap();
    let gone = await_condition(recordings, "old", |object: Option<&DynamicObject>| object.is_none());
    tokio::time::timeout(DEADLINE, gone).await.unwrap_or_else(|_| panic!("it does not go: {}", log())).unwrap();
}
