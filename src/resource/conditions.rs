//! The conditions of a Recording: their types, their reasons, and how they are set so that
//! `kubectl wait`, kstatus and Helm's `--wait` tell running, done and failed apart.

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The longest message, in characters. Kubernetes allows 32768.
const LONGEST_MESSAGE: usize = 1024;

/// An enum of words that Kubernetes sees, each with what it means: once in its documentation, and
/// once for the table in docs/.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($word:ident: $meaning:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = $meaning] $word,)+
        }

        impl $name {
            /// All of them, in the order of the table.
            pub const ALL: &[$name] = &[$($name::$word,)+];

            /// The word as Kubernetes sees it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$word => stringify!($word),)+
                }
            }

            /// What it means, for people.
            pub fn meaning(self) -> &'static str {
                match self {
                    $($name::$word => $meaning,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// The types of conditions.
    ConditionType {
        Ready: "True once the recording has ended well; kstatus and Helm wait for it.",
        Reconciling: "True while something is still to be done; kstatus then says in progress.",
        Stalled: "True once the recording has failed; kstatus then says failed.",
        Succeeded: "Unknown until the end, then True or False.",
        Accepted: "Whether the spec can be followed.",
        Scheduled: "Whether the recording has its place: not queued any more, its pod on a node.",
        Recording: "True while frames are recorded.",
        Published: "Whether the finished video is where it goes.",
    }
}

words! {
    /// Why a condition is as it is.
    Reason {
        SpecAccepted: "The spec can be followed.",
        SpecRejected: "The spec cannot be followed; the message names the field and what to do.",
        Malformed: "The object cannot be read; it was stored before the rules of its definition.",
        Queued: "The limit of recordings of the cluster or of the namespace is reached; it waits its turn.",
        QueuedByKueue: "Its Job is suspended until Kueue admits it.",
        ClaimMissing: "The volume claim for session folders is not there.",
        ImageMissing: "The image cannot be pulled.",
        SeccompProfileMissing: "The node does not have the seccomp profile that Chrome's sandbox needs.",
        PodRefused: "The node cannot start a container of the pod; the message says why.",
        SecretMissing: "A Secret that the pod needs, or its key, did not come within 60 s; the message names it.",
        JobRefused: "The Job may not be made: a quota, a policy, a namespace that is being removed.",
        Unschedulable: "No node has room for the pod.",
        PodStarting: "The pod has a node and its containers start.",
        PodRunning: "The pod runs.",
        PodReplaced: "The pod is gone and a new one is on its way; the recording goes on in it.",
        PageLoading: "The page is loading; there is no frame yet.",
        WaitingForStart: "A manual start: the page has not called window.startRecord() yet.",
        Recording: "Frames are recorded.",
        Paused: "The recording is paused.",
        Stopped: "The recording is stopped; nothing more is recorded.",
        Transcoding: "The video is made.",
        Uploading: "The video is delivered.",
        CallingBack: "The result is posted to the callback URL.",
        Delivered: "The video is where it goes.",
        InProgress: "It is not over yet.",
        Finished: "It is over, and the video is there.",
        CallbackFailed: "It is over and the video is there, but no try of the callback succeeded.",
        NothingRecorded: "It was stopped before the first frame; there is no video.",
        PageNotLoaded: "The page could not be loaded.",
        NoStartSignal: "The page did not call window.startRecord() in time.",
        NoSandbox: "Chrome's sandbox cannot be had here.",
        FinishingFailed: "The recording could not be made into a video, or its disk was full.",
        DeliveryFailed: "The video could not be brought to its destination.",
        TriesExhausted: "The pod failed too often.",
        Deleting: "The Recording is being deleted; the recording is stopped and finished first.",
        InternalError: "Something failed that should not; the message says what.",
    }
}

/// The status of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    /// Kubernetes' word.
    pub fn as_str(self) -> &'static str {
        match self {
            Truth::True => "True",
            Truth::False => "False",
            Truth::Unknown => "Unknown",
        }
    }
}

/// Of which generation the conditions speak, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    pub generation: i64,
    pub now: Timestamp,
}

/// Sets one condition. lastTransitionTime changes with the status alone, so that setting the same
/// again changes nothing.
pub fn set(
    conditions: &mut Vec<Condition>,
    kind: ConditionType,
    status: Truth,
    reason: Reason,
    message: &str,
    Observed { generation, now }: Observed,
) {
    let fresh = Condition {
        type_: kind.to_string(),
        status: status.as_str().to_owned(),
        reason: reason.to_string(),
        message: message.chars().take(LONGEST_MESSAGE).collect(),
        observed_generation: Some(generation),
        // Kubernetes' times have whole seconds; a fraction would be lost on the way there.
        last_transition_time: Time(whole_seconds(now)),
    };
    match conditions.iter_mut().find(|condition| condition.type_ == fresh.type_) {
        None => conditions.push(fresh),
        Some(condition) if condition.status == fresh.status => {
            let last_transition_time = condition.last_transition_time.clone();
            *condition = Condition { last_transition_time, ..fresh };
        }
        Some(condition) => *condition = fresh,
    }
}

fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// How a Recording stands as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It waits, runs or is being finished.
    Running,
    /// It is over, and nothing failed.
    Succeeded,
    /// It is over, and failed.
    Failed,
}

/// Sets the four conditions that sum up, as one. kstatus reads Reconciling and Stalled first, then
/// Ready (sigs.k8s.io/cli-utils, pkg/kstatus).
pub fn summary(conditions: &mut Vec<Condition>, standing: Standing, reason: Reason, message: &str, observed: Observed) {
    use Truth::{False, True, Unknown};
    let (ready, reconciling, stalled, succeeded) = match standing {
        Standing::Running => (False, True, False, Unknown),
        Standing::Succeeded => (True, False, False, True),
        Standing::Failed => (False, False, True, False),
    };
    for (kind, status) in [
        (ConditionType::Ready, ready),
        (ConditionType::Reconciling, reconciling),
        (ConditionType::Stalled, stalled),
        (ConditionType::Succeeded, succeeded),
    ] {
        set(conditions, kind, status, reason, message, observed);
    }
}
