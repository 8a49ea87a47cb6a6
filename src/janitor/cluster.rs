//! What the cluster knows of the sessions on a claim.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::core::{DeserializeGuard, NamespaceResourceScope};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::decide::Known;
use crate::operator::{REPUBLISH, UID, is_over};
use crate::resource::Recording;
use crate::session::fold::Phase;
use crate::session::folder::SessionPath;

/// How many objects are asked for at once.
const PAGE: u32 = 500;

/// The Recordings there are, and the recordings whose pods have not ended; by namespace and UID.
#[derive(Debug, Default)]
pub struct Cluster {
    recordings: HashMap<(String, String), Known>,
    names: HashSet<(String, String)>,
    pods: HashSet<(String, String)>,
}

impl Cluster {
    /// Asks the API server, for one namespace or for all.
    ///
    /// # Errors
    /// Whatever keeps it from telling everything.
    pub async fn ask(client: Client, namespace: Option<&str>) -> Result<Cluster, kube::Error> {
        // Pods last: one that is made meanwhile is seen.
        let recordings = all(&client, namespace, ListParams::default()).await?;
        let pods = all(&client, namespace, ListParams::default().labels(UID)).await?;
        Ok(Cluster::of(&recordings, &pods))
    }

    /// Of these Recordings and pods.
    pub fn of(recordings: &[DeserializeGuard<Recording>], pods: &[Pod]) -> Cluster {
        let mut cluster = Cluster::default();
        for recording in recordings {
            let namespace = recording.namespace().unwrap_or_default();
            cluster.names.insert((namespace.clone(), recording.name_any()));
            cluster.recordings.insert((namespace, recording.uid().unwrap_or_default()), known(recording));
        }
        for pod in pods.iter().filter(|pod| !is_over(pod)) {
            if let Some(uid) = pod.labels().get(UID) {
                cluster.pods.insert((pod.namespace().unwrap_or_default(), uid.clone()));
            }
        }
        cluster
    }

    pub(super) fn known(&self, path: &SessionPath) -> Known {
        self.recordings.get(&key(path)).copied().unwrap_or(Known::Gone)
    }

    /// Whether a pod of the session has not ended.
    pub(super) fn has_pod(&self, path: &SessionPath) -> bool {
        self.pods.contains(&key(path))
    }

    /// Whether there is a Recording of this name, or any in the namespace.
    pub(super) fn has_name(&self, namespace: &str, name: Option<&str>) -> bool {
        match name {
            Some(name) => self.names.contains(&(namespace.to_owned(), name.to_owned())),
            None => self.names.iter().any(|(other, _)| other == namespace),
        }
    }
}

fn key(path: &SessionPath) -> (String, String) {
    (path.namespace().to_owned(), path.uid().to_string())
}

fn known(recording: &DeserializeGuard<Recording>) -> Known {
    // What cannot be read is not known to be finished.
    let Ok(recording) = &recording.0 else { return Known::Unfinished };
    let Some(status) = recording.status.as_ref().filter(|status| status.phase == Phase::Finished) else {
        return Known::Unfinished;
    };
    match recording.annotations().get(REPUBLISH) {
        Some(value) if status.republished.as_ref() != Some(value) => Known::Republishing,
        _ => Known::Finished,
    }
}

/// All objects, page by page, as they stand when the first page is made.
async fn all<K>(client: &Client, namespace: Option<&str>, params: ListParams) -> Result<Vec<K>, kube::Error>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let api: Api<K> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let mut params = params.limit(PAGE);
    let mut objects = Vec::new();
    loop {
        let page = api.list(&params).await?;
        objects.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(objects),
        }
    }
}
