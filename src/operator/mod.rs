//! The operator: makes each Recording a Job, follows its pod, and writes what becomes of it.
//! Called by cli. Its steps, a file each: dereference, validate, course and prepare, apply,
//! status and update_status. Never: touches media, reads a Secret, or keeps state that the cluster
//! and the sessions do not have.

mod admission;
mod apply;
mod build;
mod course;
#[cfg(test)]
mod course_tests;
mod dereference;
mod giving;
mod http;
mod lease;
mod malformed;
mod metrics;
mod mounts;
mod names;
mod nodes;
mod prepare;
mod queue;
mod reach;
mod reconcile;
mod run;
mod settings;
mod status;
mod streams;
mod token;
mod update_status;
mod validate;

use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::ObjectRef;

pub(crate) use dereference::is_over;
pub(crate) use names::{REPUBLISH, UID};
pub(crate) use run::operator;
pub use settings::OperatorArgs;

use crate::resource::Recording;

/// Names a recording that may be malformed.
type RecordingRef = ObjectRef<DeserializeGuard<Recording>>;

fn reference(recording: &Recording) -> RecordingRef {
    RecordingRef::new(&recording.name_any()).within(&recording.namespace().unwrap_or_default())
}
