//! Fourth step: the changes are made. Children are created and removed, never changed: a Job's
//! template is fixed anyway, and another controller (Kueue) may own its `suspend`.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, PropagationPolicy};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::dereference::is_over;
use super::names;
use super::prepare::{Finalizer, Prepared};
use crate::resource::Recording;

/// What could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("cannot {what} {name}: {source}")]
    Kube { what: &'static str, name: String, source: kube::Error },
    #[error("{name} belongs to another recording of that name; remove it, or name the recording anew")]
    Foreign { name: String },
}

/// What was done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub job_made: bool,
    pub jobs_removed: bool,
    /// What stands in the way of the Job, as a sentence.
    pub obstacle: Option<Obstacle>,
}

/// Why no Job could be made; it is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    ClaimMissing(String),
    /// A quota, a policy, a namespace that goes away: the API server's own words.
    Refused(String),
    /// Nothing can be made in this namespace any more.
    NamespaceEnds,
}

/// Makes the changes. Each can be made twice without harm.
pub async fn apply(
    client: &Client,
    recording: &Recording,
    uid: &str,
    claim: &str,
    prepared: Prepared,
) -> Result<Applied, ApplyError> {
    let Prepared {
        finalizer,
        make_budget,
        make_job,
        remove_budget,
        remove_jobs,
        end_jobs,
        remove_recording,
        expire_jobs,
    } = prepared;
    let namespace = recording.namespace().unwrap_or_default();
    let mut applied = Applied::default();
    let jobs = Api::<Job>::namespaced(client.clone(), &namespace);
    let budgets = Api::<PodDisruptionBudget>::namespaced(client.clone(), &namespace);
    if let Some(job) = make_job {
        if let Some(missing) = missing_claim(client, &namespace, claim).await? {
            applied.obstacle = Some(missing);
            return Ok(applied);
        }
        if let Some(Finalizer::Add(list)) = &finalizer {
            set_finalizers(client, recording, &namespace, list).await?;
        }
        let budget_made = match make_budget {
            Some(budget) => create(&budgets, *budget, uid).await,
            None => Ok(()),
        };
        let made = match budget_made {
            Ok(()) => create(&jobs, *job, uid).await,
            Err(error) => Err(error),
        };
        match made.map_err(refusal) {
            Ok(()) => applied.job_made = true,
            Err(Ok(obstacle)) => applied.obstacle = Some(obstacle),
            Err(Err(error)) => return Err(error),
        }
    }
    if let Some(name) = remove_budget {
        remove(&budgets, &name, &DeleteParams::default()).await?;
    }
    for name in remove_jobs {
        if has_live_pod(client, &namespace, uid, &name).await? && recording.metadata.deletion_timestamp.is_none() {
            // The cache is behind: somebody has made a pod already.
            continue;
        }
        remove(&jobs, &name, &with_pods()).await?;
        applied.jobs_removed = true;
    }
    for name in end_jobs {
        remove(&jobs, &name, &with_pods()).await?;
    }
    for (name, seconds) in expire_jobs {
        let patch = json!({ "spec": { "ttlSecondsAfterFinished": seconds } });
        ignore_missing(jobs.patch(&name, &params(), &Patch::Merge(patch)).await.map(drop), "expire Job", &name)?;
    }
    if remove_recording {
        let api = Api::<Recording>::namespaced(client.clone(), &namespace);
        remove(&api, &recording.name_any(), &DeleteParams::default()).await?;
    }
    if let Some(Finalizer::Remove(list)) = &finalizer {
        set_finalizers(client, recording, &namespace, list).await?;
    }
    Ok(applied)
}

/// What a person has to know of an error that says no.
fn refusal(error: ApplyError) -> Result<Obstacle, ApplyError> {
    let ApplyError::Kube { source: kube::Error::Api(status), .. } = &error else { return Err(error) };
    if !matches!(status.code, 400 | 403 | 422) {
        return Err(error);
    }
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    let ends = causes.any(|cause| cause.reason == "NamespaceTerminating");
    Ok(if ends { Obstacle::NamespaceEnds } else { Obstacle::Refused(status.message.clone()) })
}

fn with_pods() -> DeleteParams {
    DeleteParams { propagation_policy: Some(PropagationPolicy::Background), ..DeleteParams::default() }
}

fn params() -> PatchParams {
    PatchParams { field_manager: Some(names::MANAGER.into()), ..PatchParams::default() }
}

/// Guarded by the resourceVersion: nobody else's finalizer gets lost.
async fn set_finalizers(
    client: &Client,
    recording: &Recording,
    namespace: &str,
    list: &[String],
) -> Result<(), ApplyError> {
    let api = Api::<Recording>::namespaced(client.clone(), namespace);
    let name = recording.name_any();
    let version = recording.resource_version();
    let patch = json!({ "metadata": { "finalizers": list, "resourceVersion": version } });
    ignore_missing(api.patch(&name, &params(), &Patch::Merge(patch)).await.map(drop), "set the finalizers of", &name)
}

async fn missing_claim(client: &Client, namespace: &str, claim: &str) -> Result<Option<Obstacle>, ApplyError> {
    let api = Api::<PersistentVolumeClaim>::namespaced(client.clone(), namespace);
    match api.get_metadata_opt(claim).await {
        Ok(Some(_)) => Ok(None),
        Ok(None) => Ok(Some(Obstacle::ClaimMissing(format!(
            "the volume claim {claim} is not in the namespace {namespace}; create it, or install panorec for this namespace"
        )))),
        Err(source) => Err(ApplyError::Kube { what: "look for the claim", name: claim.to_owned(), source }),
    }
}

/// Creates a child; one that is there already is fine if it is this recording's.
async fn create<K>(api: &Api<K>, child: K, uid: &str) -> Result<(), ApplyError>
where
    K: Resource<DynamicType = ()> + Clone + Serialize + DeserializeOwned + std::fmt::Debug,
{
    let name = child.name_any();
    let failed = |source| ApplyError::Kube { what: "create", name: name.clone(), source };
    let params = PostParams { field_manager: Some(names::MANAGER.into()), ..PostParams::default() };
    match api.create(&params, &child).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 && status.reason == "AlreadyExists" => {
            let there = api.get_metadata_opt(&name).await.map_err(failed)?;
            match there {
                Some(there) if !there.owner_references().iter().any(|owner| owner.uid == uid) => {
                    Err(ApplyError::Foreign { name: name.clone() })
                }
                _ => Ok(()),
            }
        }
        Err(source) => Err(failed(source)),
    }
}

async fn remove<K>(api: &Api<K>, name: &str, params: &DeleteParams) -> Result<(), ApplyError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    ignore_missing(api.delete(name, params).await.map(drop), "remove", name)
}

fn ignore_missing(result: Result<(), kube::Error>, what: &'static str, name: &str) -> Result<(), ApplyError> {
    match result {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other.map_err(|source| ApplyError::Kube { what, name: name.to_owned(), source }),
    }
}

async fn has_live_pod(client: &Client, namespace: &str, uid: &str, job: &str) -> Result<bool, ApplyError> {
    let api = Api::<Pod>::namespaced(client.clone(), namespace);
    let pods = api
        .list(&ListParams::default().labels(&format!("{}={uid}", names::UID)))
        .await
        .map_err(|source| ApplyError::Kube { what: "list the pods of", name: job.to_owned(), source })?;
    Ok(pods.iter().any(|pod| super::dereference::belongs_to(pod, job) && !is_over(pod)))
}
