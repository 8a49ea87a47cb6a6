//! Names and labels of what belongs to a recording.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// Finalizer that lets a deleted recording finish its file.
pub const FINALIZER: &str = "panorec.dev/finish";
/// Annotation: a deleted recording is thrown away instead of finished.
pub const DISCARD: &str = "panorec.dev/discard";
/// Annotation: its value, when it changes, makes the file once more.
pub const REPUBLISH: &str = "panorec.dev/republish";
/// Label of Kueue: the queue that admits the recording's Job.
pub const QUEUE_NAME: &str = "kueue.x-k8s.io/queue-name";
/// Label: the UID of the recording that something belongs to.
pub const UID: &str = "panorec.dev/recording-uid";
/// Annotation of a pod: the name of the recording, which is too long for a label at times.
pub const RECORDING: &str = "panorec.dev/recording";
/// Label: what a Job or pod is for, see [`Role`].
pub const ROLE: &str = "panorec.dev/role";
/// The field manager of everything that the operator writes.
pub const MANAGER: &str = "panorec-operator";

/// What a Job is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Records, and publishes what was recorded.
    Record,
    /// Publishes what an earlier pod recorded.
    Publish,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Record => "record",
            Role::Publish => "publish",
        }
    }
}

/// The labels of what belongs to the recording with this UID.
pub fn labels(uid: &str, role: Role) -> BTreeMap<String, String> {
    [
        ("app.kubernetes.io/name", "panorec"),
        ("app.kubernetes.io/component", "recorder"),
        ("app.kubernetes.io/managed-by", MANAGER),
        (UID, uid),
        (ROLE, role.as_str()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

/// The selector of everything of ours.
pub fn selector() -> String {
    format!("app.kubernetes.io/managed-by={MANAGER}")
}

/// The name of the Job, and of the PodDisruptionBudget, of a recording. The UID keeps a recording
/// apart from an older one of the same name.
pub fn job(name: &str, uid: &str) -> String {
    child(name, &uid.chars().filter(char::is_ascii_alphanumeric).take(8).collect::<String>())
}

/// The name of a Job that only publishes, for this reason.
pub fn publish_job(name: &str, uid: &str, reason: &str) -> String {
    let digest = Sha256::digest(format!("{uid}/{reason}"));
    let short: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    child(name, &format!("{short}-publish"))
}

/// A name of at most 63 characters without dots: pods carry their Job's name as a label, and their
/// own name, five characters longer, as a host name (RFC 1123).
fn child(name: &str, suffix: &str) -> String {
    const LONGEST: usize = 63 - 6;
    let room = LONGEST.saturating_sub(suffix.len() + 1);
    let head: String = name.chars().map(|c| if c == '.' { '-' } else { c }).take(room).collect();
    format!("{}-{suffix}", head.trim_end_matches('-'))
}

/// The folder of a recording on the claim, relative to its root.
pub fn folder(namespace: &str, name: &str, uid: &str) -> String {
    format!("{namespace}/{name}/{uid}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID_A: &str = "3fa85f64-5717-4562-b3fc-2c963f66afa6";

    #[test]
    fn names_are_short_and_tell_recordings_apart() {
        assert_eq!(job("lesson-1", UID_A), "lesson-1-3fa85f64");
        assert_eq!(job("a.b", UID_A), "a-b-3fa85f64");
        let long = job(&"x".repeat(253), UID_A);
        assert_eq!(long.len(), 57);
        assert!(long.ends_with("x-3fa85f64"));
        let first = publish_job("lesson-1", UID_A, "1");
        assert_ne!(first, publish_job("lesson-1", UID_A, "2"));
        assert!(first.starts_with("lesson-1-") && first.ends_with("-publish"));
        assert!(publish_job(&"x".repeat(253), UID_A, "1").len() <= 57);
    }
}
