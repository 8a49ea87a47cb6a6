//! The Recording resource on a real API server: its definition is taken, and each wrong field refused.
//! Needs etcd and kube-apiserver, as tests/cluster/node/build makes them; without them it says so and
//! does nothing.

#[path = "../resource/fields.rs"]
mod fields;
mod malformed;
mod server;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::core::DynamicObject;
use kube::discovery::ApiResource;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, Resource};
use panorec::resource::{Recording, definition};
use serde_json::{Value, json};

use fields::Wrong;
use server::ApiServer;

/// Recordings as plain JSON: what is wrong cannot be written as the type.
type Recordings = Api<DynamicObject>;

async fn with_definition(client: Client) -> Recordings {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definition = definition();
    let name = definition.metadata.name.clone().unwrap();
    definitions.create(&PostParams::default(), &definition).await.expect("the API server takes the definition");
    await_condition(definitions, &name, conditions::is_crd_established()).await.unwrap();
    Api::namespaced_with(client, "default", &ApiResource::erase::<Recording>(&()))
}

fn object(name: &str, spec: Value) -> DynamicObject {
    let (api_version, kind) = (Recording::api_version(&()), Recording::kind(&()));
    serde_json::from_value(json!({
        "apiVersion": api_version, "kind": kind, "metadata": { "name": name }, "spec": spec,
    }))
    .unwrap()
}

#[track_caller]
fn is_refused(row: &Wrong, result: kube::Result<DynamicObject>) {
    let Err(kube::Error::Api(status)) = result else {
        panic!("{} = {} was let through", row.path, row.value);
    };
    assert_eq!(status.code, 422, "{}: {}", row.path, status.message);
    let field = row.path.split('.').next().unwrap();
    assert!(status.message.contains(&format!("spec.{field}")), "{}: {}", row.path, status.message);
    for part in row.says {
        assert!(status.message.contains(part), "{}: {:?} does not say {part:?}", row.path, status.message);
    }
}

/// Changes a Recording made with `beside`, and gives what the API server says.
async fn changed(recordings: &Recordings, row: &Wrong) -> kube::Result<DynamicObject> {
    let mut spec = row.beside.clone();
    fields::set(&mut spec, "url", json!(fields::PAGE));
    recordings.create(&PostParams::default(), &object("changed", spec)).await.unwrap();
    let mut patch = json!({});
    fields::set(&mut patch, row.path, row.value.clone());
    let result = recordings.patch("changed", &PatchParams::default(), &Patch::Merge(json!({ "spec": patch }))).await;
    recordings.delete("changed", &DeleteParams::default()).await.unwrap();
    result
}

#[tokio::test]
async fn a_real_api_server_keeps_the_rules() {
    let Some(server) = ApiServer::start().await else { return };
    let recordings = with_definition(server.client()).await;

    for row in fields::refused() {
        let made = recordings.create(&PostParams::default(), &object("wrong", row.spec())).await;
        is_refused(&row, made);
    }
    for row in fields::fixed() {
        is_refused(&row, changed(&recordings, &row).await);
    }
    for row in fields::allowed() {
        let result = changed(&recordings, &row).await;
        assert!(result.is_ok(), "{} = {}: {:?}", row.path, row.value, result);
    }

    // What is left out has the same defaults there as in the code.
    let bare = object("bare", json!({ "url": fields::PAGE }));
    let stored = recordings.create(&PostParams::default(), &bare).await.unwrap();
    let here: Recording = serde_json::from_value(serde_json::to_value(&bare).unwrap()).unwrap();
    assert_eq!(stored.data["spec"], serde_json::to_value(&here.spec).unwrap());

    // Null is as good as nothing.
    let nulls = json!({
        "url": fields::PAGE, "callback": null, "intent": { "at": null }, "page": null,
        "output": { "encryption": null, "destination": { "s3": null, "volume": {} }, "video": { "crf": null } },
    });
    let stored = recordings.create(&PostParams::default(), &object("nulls", nulls)).await.unwrap();
    serde_json::from_value::<Recording>(serde_json::to_value(stored).unwrap()).unwrap();
}
