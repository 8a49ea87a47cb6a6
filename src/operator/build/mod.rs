//! The children of a recording, as they are to be: pure builders, one file a kind.
//! Called by apply. Never: waits, fails, or looks at the cluster.

mod job;
mod needs;
mod pdb;
mod pod;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

pub use job::job;
pub use needs::NeedsOverride;
pub use pdb::disruption_budget;
pub use pod::CONTROL_PORT;

use super::names::{self, Role};
use super::settings::PodSettings;
use crate::session::intent::Intent;
use crate::session::request::{Delivery, Request};

/// What a Job is made of.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    pub namespace: &'a str,
    /// Of the recording.
    pub name: &'a str,
    pub uid: &'a str,
    pub owner: OwnerReference,
    /// metadata.generation that all of this is of.
    pub generation: u64,
    pub request: &'a Request,
    pub delivery: &'a Delivery,
    pub intent: &'a Intent,
    pub secrets: Secrets<'a>,
    pub kind: Kind<'a>,
    /// SHA-256 of the control endpoint's token.
    pub token_digest: &'a str,
    /// Kueue's queue: the Job is made suspended, for Kueue to start.
    pub queue_name: Option<&'a str>,
    pub settings: &'a PodSettings,
}

/// What the Job is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    Record,
    /// Finish what an earlier Job left.
    Finish,
    /// Make the file once more; the annotation's value.
    Republish(&'a str),
}

impl Kind<'_> {
    pub fn role(self) -> Role {
        match self {
            Kind::Record => Role::Record,
            Kind::Finish | Kind::Republish(_) => Role::Publish,
        }
    }
}

/// The Secrets that the pod mounts, by name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Secrets<'a> {
    /// `panorec-login.json`, for the recorder.
    pub login: Option<&'a str>,
    /// `panorec-hls.key`, for the publisher.
    pub hls_key: Option<&'a str>,
    /// The HLS key itself, where the recording says it in plain text.
    pub hls_key_text: Option<&'a str>,
    /// `panorec-s3.json`, for the publisher.
    pub s3: Option<&'a str>,
    /// `panorec-vod.json`, for the publisher.
    pub vod: Option<&'a str>,
    /// `panorec-s3.json` of the bucket that the recording is kept in meanwhile, for the publisher.
    pub intermediate: Option<&'a str>,
    /// `panorec-callback.json`, for the publisher.
    pub callback: Option<&'a str>,
}

impl Order<'_> {
    pub fn job_name(&self) -> String {
        match self.kind {
            Kind::Record => names::job(self.name, self.uid),
            Kind::Finish => names::publish_job(self.name, self.uid, FINISH),
            Kind::Republish(value) => names::publish_job(self.name, self.uid, &format!("again/{value}")),
        }
    }

    fn metadata(&self, name: String) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.namespace.to_owned()),
            labels: Some(names::labels(self.uid, self.kind.role())),
            owner_references: Some(vec![self.owner.clone()]),
            ..ObjectMeta::default()
        }
    }
}

/// The reason in the name of the Job that finishes what another one left.
pub const FINISH: &str = "finish";

#[cfg(test)]
mod tests;
