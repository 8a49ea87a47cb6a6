//! Last step: the status that follows from everything. Pure; update_status writes it.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use super::admission::{Full, SHOWN};
use super::apply::{Applied, Obstacle};
use super::course::{Course, has_begun};
use super::dereference::{self, Found, Harvest};
use super::mounts::Missing;
use super::validate::Valid;
use crate::resource::conditions::{ConditionType, Observed, Reason, Standing, Truth, set, summary};
use crate::resource::{Recording, RecordingStatus, Rejection, duration_text, page_host};
use crate::session::exit::ExitCode;
use crate::session::fold::Phase;
use crate::session::request::Start;
use crate::session::status::{NOT_RECORDED, Status, StatusResult};

/// What the status follows from.
pub struct Facts<'a> {
    pub recording: &'a Recording,
    /// As it was written last.
    pub before: &'a RecordingStatus,
    pub valid: Result<&'a Valid, &'a Rejection>,
    pub course: &'a Course,
    pub found: &'a Found,
    pub applied: &'a Applied,
    /// Whether the place in the queue may be told anew.
    pub tell_place: bool,
    pub now: Timestamp,
}

/// The status as it is to be.
pub fn status(facts: &Facts<'_>) -> RecordingStatus {
    let mut status = facts.before.clone();
    let generation = facts.recording.metadata.generation.unwrap_or_default();
    let observed = Observed { generation, now: facts.now };
    status.observed_generation = Some(generation);
    status.page = page_host(&facts.recording.spec.url);
    let valid = match facts.valid {
        Ok(valid) => valid,
        Err(rejection) => {
            let text = rejection.to_string();
            set(&mut status.conditions, ConditionType::Accepted, Truth::False, Reason::SpecRejected, &text, observed);
            summary(&mut status.conditions, Standing::Failed, Reason::SpecRejected, &text, observed);
            status.message = Some(text);
            return status;
        }
    };
    let accepted = match valid.asked.notes.as_slice() {
        [] => Reason::SpecAccepted.meaning().to_owned(),
        notes => notes.join("; "),
    };
    set(&mut status.conditions, ConditionType::Accepted, Truth::True, Reason::SpecAccepted, &accepted, observed);
    let ended = take_session(&mut status, facts);
    queue_place(&mut status, facts);
    pod_of(&mut status, facts.found);
    if status.phase != Phase::Finished {
        scheduled(&mut status.conditions, facts, observed);
    }
    recording(&mut status, valid, facts.found, observed);
    published(&mut status, ended, observed);
    end(&mut status, ended, facts, observed);
    status
}

/// What the session tells, by its stream or by what its last pod left, and how it ends by that.
fn take_session(status: &mut RecordingStatus, facts: &Facts<'_>) -> Option<Reason> {
    match facts.course {
        Course::Conclude(harvest) => {
            take_harvest(status, harvest);
            Some(reason_of(harvest.code))
        }
        Course::Abandon(missing) => {
            abandon(status, missing, facts.now);
            Some(Reason::SecretMissing)
        }
        Course::Republished { value, harvest } => {
            status.republished = Some(value.clone());
            match harvest {
                Some(harvest) if harvest.code == ExitCode::Done => {
                    take_harvest(status, harvest);
                    Some(reason_of(harvest.code))
                }
                // What was published before stays what it was.
                _ => {
                    let missing = facts.found.missing.as_ref().map(Missing::to_string);
                    let told = harvest
                        .as_ref()
                        .and_then(|harvest| harvest.report.status.result.as_ref()?.error_message.clone());
                    let why = missing.or(told).unwrap_or_else(|| "its pods failed too often".into());
                    status.message = Some(format!("publishing again failed, the earlier result stands: {why}"));
                    None
                }
            }
        }
        _ if status.phase == Phase::Finished => None,
        _ => {
            let known = facts.found.standing.known.as_ref()?;
            status.set_session(&known.status, &known.warnings);
            tell_duration(status, known.recorded_us);
            Some(reason_of(known.code))
        }
    }
}

/// Nobody records or publishes any more, and nobody is there to tell the session.
fn abandon(status: &mut RecordingStatus, missing: &Missing, now: Timestamp) {
    let next = match status.start_time {
        None => "then make the Recording again",
        Some(_) => "then annotate the Recording with panorec.dev/republish=1 for a video of what was recorded",
    };
    let videos = status.result.take().map(|result| result.videos).unwrap_or_default();
    let error_message = Some(format!("{missing}, {next}"));
    status.result = Some(StatusResult { error_code: Some(NOT_RECORDED.to_owned()), error_message, videos });
    status.phase = Phase::Finished;
    status.finish_time = Some(now);
}

fn take_harvest(status: &mut RecordingStatus, Harvest { report, .. }: &Harvest) {
    status.set_session(&report.status, &report.warnings);
    tell_duration(status, delivered_us(&report.status));
}

fn tell_duration(status: &mut RecordingStatus, us: u64) {
    status.duration = (us > 0).then(|| duration_text(us as f64 / 1e6));
}

fn delivered_us(session: &Status) -> u64 {
    let seconds: f64 =
        session.result.iter().flat_map(|result| &result.videos).map(|video| video.duration_seconds).sum();
    (seconds * 1e6) as u64
}

fn queue_place(status: &mut RecordingStatus, facts: &Facts<'_>) {
    match facts.course {
        Course::Queue { place, .. } if *place <= SHOWN => {
            if facts.tell_place || status.queue_position.is_none() {
                status.queue_position = Some(*place as u32);
            }
        }
        _ => status.queue_position = None,
    }
}

fn pod_of(status: &mut RecordingStatus, found: &Found) {
    let Some(pod) = found.live_pod() else { return };
    let Some(node) = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()) else { return };
    let recorder = status.recorder.get_or_insert_default();
    recorder.pod_name = Some(pod.name_any());
    recorder.node_name = Some(node);
}

/// Whether the recording has its place, and what keeps it from one.
fn scheduled(conditions: &mut Vec<Condition>, facts: &Facts<'_>, observed: Observed) {
    let (truth, reason, message) = place(facts);
    set(conditions, ConditionType::Scheduled, truth, reason, &message, observed);
}

fn place(facts: &Facts<'_>) -> (Truth, Reason, String) {
    let plain = |truth, reason: Reason| (truth, reason, reason.meaning().to_owned());
    match &facts.applied.obstacle {
        Some(Obstacle::ClaimMissing(message)) => return (Truth::False, Reason::ClaimMissing, message.clone()),
        Some(Obstacle::Refused(message)) => return (Truth::False, Reason::JobRefused, message.clone()),
        Some(Obstacle::NamespaceEnds) => return plain(Truth::False, Reason::JobRefused),
        None => {}
    }
    match facts.course {
        Course::Queue { why, .. } => {
            let whose = match why {
                Full::Cluster => "the cluster",
                Full::Namespace => "its namespace",
            };
            let message = format!("as many recordings run as the limit of {whose} lets; it waits its turn");
            return (Truth::False, Reason::Queued, message);
        }
        Course::Undecided => return plain(Truth::False, Reason::Queued),
        _ => {}
    }
    match facts.found.live_pod() {
        Some(pod) => place_of_pod(pod),
        None if is_suspended(facts.found) => plain(Truth::False, Reason::QueuedByKueue),
        None if has_begun(facts.recording) => plain(Truth::False, Reason::PodReplaced),
        None => (Truth::False, Reason::PodStarting, "its pod is being made".into()),
    }
}

fn is_suspended(found: &Found) -> bool {
    let mut jobs = found.jobs.values();
    jobs.any(|job| job.spec.as_ref().is_some_and(|spec| spec.suspend == Some(true)))
}

fn place_of_pod(pod: &Pod) -> (Truth, Reason, String) {
    use dereference::Obstacle::{Container, Image, Unschedulable};
    let has_node = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
    match dereference::obstacle(pod) {
        Some(Unschedulable(message)) => (Truth::False, Reason::Unschedulable, message),
        Some(Image(message)) => (Truth::False, Reason::ImageMissing, message),
        Some(Container(message)) if message.contains("seccomp") => {
            let message =
                format!("{message}; put the profile into the kubelet's seccomp folder on the node, or set another one");
            (Truth::False, Reason::SeccompProfileMissing, message)
        }
        Some(Container(message)) => (Truth::False, Reason::PodRefused, message),
        None if !has_node => (Truth::False, Reason::PodStarting, "its pod waits for a node".into()),
        None if is_running(pod) => (Truth::True, Reason::PodRunning, Reason::PodRunning.meaning().into()),
        None => (Truth::True, Reason::PodStarting, Reason::PodStarting.meaning().into()),
    }
}

fn is_running(pod: &Pod) -> bool {
    pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"))
}

/// Whether frames are recorded.
fn recording(status: &mut RecordingStatus, valid: &Valid, found: &Found, observed: Observed) {
    let (truth, reason) = match status.phase {
        Phase::Recording => (Truth::True, Reason::Recording),
        Phase::Paused => (Truth::False, Reason::Paused),
        Phase::Normal if valid.asked.request.start == Start::Manual && found.standing.known.is_some() => {
            (Truth::False, Reason::WaitingForStart)
        }
        Phase::Normal => (Truth::False, Reason::PageLoading),
        Phase::Canceled | Phase::Transcode | Phase::Upload | Phase::Callback | Phase::Finished => {
            (Truth::False, Reason::Stopped)
        }
    };
    set(&mut status.conditions, ConditionType::Recording, truth, reason, reason.meaning(), observed);
}

/// Whether the video is where it goes.
fn published(status: &mut RecordingStatus, ended: Option<Reason>, observed: Observed) {
    let has_video = status.result.as_ref().is_some_and(|result| !result.videos.is_empty());
    let (truth, reason) = match status.phase {
        Phase::Finished => match (has_video, ended) {
            // Written with the end itself, and not known any more.
            (_, None) => return,
            (true, Some(Reason::Finished)) => (Truth::True, Reason::Delivered),
            (_, Some(reason)) => (Truth::False, reason),
        },
        Phase::Transcode => (Truth::Unknown, Reason::Transcoding),
        Phase::Upload => (Truth::Unknown, Reason::Uploading),
        Phase::Callback if has_video => (Truth::True, Reason::Delivered),
        Phase::Callback => (Truth::Unknown, Reason::CallingBack),
        Phase::Normal | Phase::Recording | Phase::Paused | Phase::Canceled => (Truth::Unknown, Reason::InProgress),
    };
    set(&mut status.conditions, ConditionType::Published, truth, reason, reason.meaning(), observed);
}

/// The summary, and one sentence.
fn end(status: &mut RecordingStatus, ended: Option<Reason>, facts: &Facts<'_>, observed: Observed) {
    let (standing, reason, message) = match (status.phase, ended) {
        (Phase::Finished, Some(reason)) => outcome(status, reason),
        (Phase::Finished, None) => {
            // Nothing new: of which generation the conditions speak is.
            for condition in &mut status.conditions {
                condition.observed_generation = Some(observed.generation);
            }
            return;
        }
        _ if matches!(facts.course, Course::GiveUp) => {
            let message = "its pods failed too often, and so did finishing what there is; see the events and logs of \
                           its Jobs; what was recorded stays in its folder on the claim";
            (Standing::Failed, Reason::TriesExhausted, message.to_owned())
        }
        _ if facts.recording.metadata.deletion_timestamp.is_some() => {
            (Standing::Running, Reason::Deleting, Reason::Deleting.meaning().to_owned())
        }
        _ => {
            let (truth, reason, message) = place(facts);
            if truth == Truth::False && status.phase.rank() < Phase::Canceled.rank() {
                (Standing::Running, reason, message)
            } else {
                let reason = step(status);
                (Standing::Running, reason, reason.meaning().to_owned())
            }
        }
    };
    summary(&mut status.conditions, standing, reason, &message, observed);
    status.message = Some(message);
}

/// The step that a running recording is in.
fn step(status: &RecordingStatus) -> Reason {
    match status.phase {
        Phase::Normal => Reason::PageLoading,
        Phase::Recording => Reason::Recording,
        Phase::Paused => Reason::Paused,
        Phase::Canceled => Reason::Stopped,
        Phase::Transcode => Reason::Transcoding,
        Phase::Upload => Reason::Uploading,
        Phase::Callback => Reason::CallingBack,
        Phase::Finished => Reason::Finished,
    }
}

fn outcome(status: &RecordingStatus, reason: Reason) -> (Standing, Reason, String) {
    let result = status.result.as_ref();
    let error = result.and_then(|result| result.error_message.clone());
    let callback_failed = result.is_some_and(|result| result.error_code.as_deref() == Some("CallbackFailed"));
    match reason {
        Reason::Finished if callback_failed => {
            let message = error.unwrap_or_else(|| Reason::CallbackFailed.meaning().into());
            (Standing::Succeeded, Reason::CallbackFailed, message)
        }
        Reason::Finished | Reason::NothingRecorded => (Standing::Succeeded, reason, reason.meaning().into()),
        _ => (Standing::Failed, reason, error.unwrap_or_else(|| reason.meaning().into())),
    }
}

fn reason_of(code: ExitCode) -> Reason {
    match code {
        ExitCode::Done => Reason::Finished,
        ExitCode::NothingRecorded => Reason::NothingRecorded,
        ExitCode::PageNotLoaded => Reason::PageNotLoaded,
        ExitCode::FinishingFailed => Reason::FinishingFailed,
        ExitCode::DeliveryFailed => Reason::DeliveryFailed,
        ExitCode::NoSandbox => Reason::NoSandbox,
        ExitCode::NoStartSignal => Reason::NoStartSignal,
        ExitCode::Internal | ExitCode::Usage | ExitCode::Interrupted => Reason::InternalError,
    }
}
