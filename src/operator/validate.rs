//! Second step: what a recording asks for, or the field that cannot be followed.

use jiff::Timestamp;
use kube::ResourceExt;

use crate::resource::{Asked, Installation, Origin, Recording, Rejection, ask};
use crate::session::intent::{Intent, IntentState};
use crate::session::stream::ToldIntent;

/// A recording that can be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Valid {
    pub asked: Asked,
    /// What its pods are told: what the spec says, or to stop where the recording is deleted.
    pub wanted: ToldIntent,
}

/// Checks what the API server could not.
pub fn validate(recording: &Recording, uid: &str, installation: &Installation) -> Result<Valid, Rejection> {
    let created = recording.creation_timestamp().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
    let name = recording.name_any();
    let namespace = recording.namespace().unwrap_or_default();
    let origin = Origin { namespace: &namespace, name: &name, uid, created };
    let asked = ask(&recording.spec, origin, installation)?;
    Ok(Valid { asked, wanted: wanted(recording) })
}

fn wanted(recording: &Recording) -> ToldIntent {
    let said = &recording.spec.intent;
    let generation = recording.metadata.generation.map_or(0, i64::unsigned_abs);
    let intent = Intent { state: said.state, refresh: said.refresh, revision: said.revision, at: said.at };
    match &recording.metadata.deletion_timestamp {
        Some(deleted) if intent.state != IntentState::Stopped => {
            let intent = Intent { state: IntentState::Stopped, at: Some(deleted.0), ..intent };
            ToldIntent { generation, intent }
        }
        _ => ToldIntent { generation, intent },
    }
}
