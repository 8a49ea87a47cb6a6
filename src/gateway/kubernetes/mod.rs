//! Recordings of a Kubernetes cluster behind the gateway: `panorec gateway`.
//! It writes intents and never a status, and makes Secrets that it cannot read.

mod cache;
mod described;
mod followers;
mod run;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret as SecretObject;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::action::{Decision, Filter, Order, Refusal, Start, Task, decide};
use super::auth::Caller;
use super::backend::{Backend, BackendError, Census, Changes};
use super::secret::Secret;
use super::spec::{Installed, Made, from_spec, to_spec};
use crate::resource::Recording;
use crate::session::describe::Described;
use crate::session::fold::Phase;
use crate::session::intent::{Intent, IntentState};
use crate::session::name::TaskId;

use cache::Cache;
use described::described;

pub use run::GatewayArgs;
pub(crate) use run::gateway;

/// Annotation of a Recording that was started with a ClientToken: what tells that token again.
const TOKEN: &str = "panorec.dev/client-token";
/// Annotation of a Recording: the UserData of its Start, also where no callback hands it on.
const USER_DATA: &str = "panorec.dev/user-data";
/// Label of a Recording: which key started it, by a digest.
const KEY: &str = "panorec.dev/started-by";
/// The field manager of everything that the gateway writes.
const MANAGER: &str = "panorec-gateway";
/// An intent that others write at the same time is said again so often.
const SAYINGS: u32 = 10;
/// The API server has this long to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The Recordings of a cluster.
pub struct Kubernetes {
    client: Client,
    cache: Cache,
    /// Where keys that name no namespace have their Recordings.
    namespace: String,
    /// Whether keys may name others.
    everywhere: bool,
    installed: Installed,
    /// Held while a key with a limit starts, so that two do not take the last place.
    starting: Mutex<()>,
}

impl Kubernetes {
    fn namespace<'a>(&'a self, caller: &'a Caller) -> Result<&'a str, BackendError> {
        match &caller.namespace {
            Some(namespace) if *namespace != self.namespace && !self.everywhere => Err(BackendError::Internal(
                format!("this gateway serves the namespace {} alone, and the key is for {namespace}", self.namespace),
            )),
            Some(namespace) => Ok(namespace),
            None => Ok(&self.namespace),
        }
    }

    fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// A recording as the cache has it, or where that does not know it, the API server.
    async fn recording(&self, namespace: &str, task: &TaskId) -> Result<Arc<Recording>, BackendError> {
        match self.cache.get(namespace, task.as_str()) {
            Some(recording) => Ok(recording),
            None => self.fetched(namespace, task).await,
        }
    }

    async fn fetched(&self, namespace: &str, task: &TaskId) -> Result<Arc<Recording>, BackendError> {
        let api: Api<Recording> = self.api(namespace);
        let found = asked(api.get_opt(task.as_str())).await?.map_err(internal)?.ok_or(BackendError::NotFound)?;
        Ok(self.cache.wrote(found))
    }

    /// Whether the caller has fewer unfinished tasks than it may.
    fn has_room(&self, caller: &Caller, namespace: &str) -> bool {
        let (Some(most), Some(key)) = (caller.max_concurrent, &caller.key_id) else { return true };
        let label = digest(&[key]);
        let runs = |one: &Recording| one.labels().get(KEY) == Some(&label) && phase(one) != Phase::Finished;
        self.cache.list(namespace).into_iter().filter(|one| runs(one)).count() < most as usize
    }

    async fn create(&self, namespace: &str, recording: &Recording) -> Result<Recording, BackendError> {
        let api: Api<Recording> = self.api(namespace);
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        match asked(api.create(&params, recording)).await? {
            Ok(created) => Ok(created),
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let there = asked(api.get(&recording.name_any())).await?.map_err(internal)?;
                let token = recording.annotations().get(TOKEN);
                match token.is_some() && token == there.annotations().get(TOKEN) {
                    true => Ok(there),
                    false => Err(BackendError::Taken),
                }
            }
            Err(kube::Error::Api(status)) => Err(BackendError::Create(status.message.clone())),
            Err(error) => Err(BackendError::Create(error.to_string())),
        }
    }

    /// What the pod waits for; one that is there was made by an earlier try.
    async fn create_secret(
        &self,
        namespace: &str,
        owner: &Recording,
        secret: BTreeMap<&'static str, Secret>,
    ) -> Result<(), BackendError> {
        if secret.is_empty() {
            return Ok(());
        }
        let bytes = |(key, value): (&str, Secret)| (key.to_owned(), ByteString(value.expose().as_bytes().to_vec()));
        let object = SecretObject {
            metadata: ObjectMeta {
                name: owner.metadata.name.clone(),
                owner_references: owner.owner_ref(&()).map(|owner| vec![owner]),
                ..ObjectMeta::default()
            },
            data: Some(secret.into_iter().map(bytes).collect()),
            type_: Some("Opaque".to_owned()),
            ..SecretObject::default()
        };
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        match asked(self.api::<SecretObject>(namespace).create(&params, &object)).await? {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(error) => Err(internal(error)),
        }
    }

    /// Says an intent, if nothing else was said since.
    async fn say(&self, namespace: &str, recording: &Recording, intent: &Intent) -> Result<Said, BackendError> {
        let patch = json!({
            "metadata": { "resourceVersion": recording.metadata.resource_version },
            "spec": { "intent": intent },
        });
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let api: Api<Recording> = self.api(namespace);
        match asked(api.patch(&recording.name_any(), &params, &Patch::Merge(patch))).await? {
            Ok(said) => {
                self.cache.wrote(said);
                Ok(Said::Yes)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Said::Outdated),
            Err(kube::Error::Api(status)) if status.code == 404 => Err(BackendError::NotFound),
            Err(error) => Err(internal(error)),
        }
    }
}

/// Whether an intent was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Yes,
    /// The object has changed since.
    Outdated,
}

impl Backend for Kubernetes {
    async fn start(&self, caller: &Caller, start: Start) -> Result<TaskId, BackendError> {
        let namespace = self.namespace(caller)?;
        let key_id = caller.key_id.as_deref().unwrap_or_default();
        let task_id = start.name(&format!("{namespace}/{key_id}"));
        let Made { spec, secret } = to_spec(&start, &task_id, &self.installed)?;
        let mut recording = Recording::new(task_id.as_str(), spec);
        if let Some(token) = &start.client_token {
            let told = digest(&[namespace, key_id, &token.to_string()]);
            recording.annotations_mut().insert(TOKEN.to_owned(), told);
        }
        if let Some(user_data) = &start.parameters.user_data {
            recording.annotations_mut().insert(USER_DATA.to_owned(), user_data.to_string());
        }
        if !key_id.is_empty() {
            recording.labels_mut().insert(KEY.to_owned(), digest(&[key_id]));
        }
        let limited = match caller.max_concurrent {
            Some(_) => Some(self.starting.lock().await),
            None => None,
        };
        if self.cache.get(namespace, task_id.as_str()).is_none() && !self.has_room(caller, namespace) {
            return Err(BackendError::Limit);
        }
        let created = self.create(namespace, &recording).await?;
        self.cache.wrote(created.clone());
        drop(limited);
        if let Err(error) = self.create_secret(namespace, &created, secret).await {
            // Nothing would ever come of it.
            let api: Api<Recording> = self.api(namespace);
            if let Err(error) = api.delete(task_id.as_str(), &DeleteParams::default()).await {
                tracing::warn!(%error, %task_id, "a recording that cannot begin could not be deleted");
            }
            return Err(BackendError::Begin(error.to_string()));
        }
        Ok(task_id)
    }

    async fn tell(&self, caller: &Caller, task: &TaskId, order: Order) -> Result<(), BackendError> {
        let namespace = self.namespace(caller)?;
        let mut recording = self.recording(namespace, task).await?;
        for _ in 0..SAYINGS {
            match decide(order, phase(&recording)) {
                Decision::NothingToDo => return Ok(()),
                Decision::InvalidStatus(words) => return Err(Refusal::status(words).into()),
                Decision::Allowed => {}
            }
            let intent = order.after(&Intent::from(&recording.spec.intent), Timestamp::now());
            if self.say(namespace, &recording, &intent).await? == Said::Yes {
                return Ok(());
            }
            recording = self.fetched(namespace, task).await?;
        }
        Err(BackendError::Internal("others write to the task all the time; try again".to_owned()))
    }

    async fn find(&self, caller: &Caller, task: &TaskId) -> Result<Task, BackendError> {
        let recording = self.recording(self.namespace(caller)?, task).await?;
        let mut parameters =
            from_spec(&recording.spec).map_err(|error| BackendError::Internal(format!("the page's URL: {error}")))?;
        if let Some(user_data) = recording.annotations().get(USER_DATA) {
            parameters.user_data = serde_json::from_str(user_data).ok();
        }
        Ok(Task { described: described(&recording, task), parameters })
    }

    async fn list(&self, caller: &Caller, filter: &Filter) -> Result<Vec<Described>, BackendError> {
        let all = self.cache.list(self.namespace(caller)?);
        let listed = all.iter().filter_map(|recording| {
            let described = described(recording, &recording.name_any().parse().ok()?);
            let created = described.create_time.and_then(|second| Timestamp::from_second(second).ok());
            filter.takes(described.status, created).then_some(described)
        });
        Ok(listed.collect())
    }

    fn changes(&self, caller: &Caller, task: &TaskId) -> Changes {
        match self.namespace(caller) {
            Ok(namespace) => self.cache.changes(namespace, task.as_str()),
            Err(_) => stream::empty().boxed(),
        }
    }

    fn census(&self) -> Census {
        self.cache.census(phase)
    }

    fn ready(&self) -> Result<(), String> {
        match self.cache.is_filled() {
            true => Ok(()),
            false => Err("the Recordings of the cluster are not known yet".to_owned()),
        }
    }
}

/// The status that Describe shows.
fn phase(recording: &Recording) -> Phase {
    let stopped = recording.spec.intent.state == IntentState::Stopped;
    let phase = recording.status.as_ref().map_or(Phase::Normal, |status| status.phase);
    if stopped { phase.advanced_to(Phase::Canceled) } else { phase }
}

/// What tells several texts again without repeating them: 32 hexadecimal digits.
fn digest(texts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    digest.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Waits for the API server, not for ever.
async fn asked<T>(answer: impl Future<Output = T>) -> Result<T, BackendError> {
    let late = |_| BackendError::Internal(format!("the API server did not answer within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, answer).await.map_err(late)
}

fn internal(error: kube::Error) -> BackendError {
    BackendError::Internal(match error {
        kube::Error::Api(status) => status.message.clone(),
        error => error.to_string(),
    })
}
