//! A Recording in the words of the Action API.

use jiff::Timestamp;
use kube::Resource;

use crate::gateway::action::shown;
use crate::resource::Recording;
use crate::session::describe::{Described, DescribedResult};
use crate::session::fold::Phase;
use crate::session::intent::Intent;
use crate::session::name::TaskId;

/// What Describe shows: the later of the status and of what was said.
pub(super) fn described(recording: &Recording, task_id: &TaskId) -> Described {
    let status = recording.status.as_ref();
    let time =
        |of: fn(&crate::resource::RecordingStatus) -> Option<Timestamp>| status.and_then(of).map(Timestamp::as_second);
    let created = recording.meta().creation_timestamp.as_ref().map(|time| time.0.as_second());
    let told = Described {
        task_id: task_id.clone(),
        status: status.map_or(Phase::Normal, |status| status.phase),
        queue_position: status.and_then(|status| status.queue_position),
        create_time: created,
        start_time: time(|status| status.start_time),
        cancel_time: time(|status| status.cancel_time),
        stop_time: time(|status| status.stop_time),
        finish_time: time(|status| status.finish_time),
        result: status.and_then(|status| status.result.as_ref()).map(DescribedResult::from),
    };
    shown(told, &Intent::from(&recording.spec.intent))
}
