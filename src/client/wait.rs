//! Waiting for a task, and what came of it.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::answer::Answer;
use super::gateway::Gateway;
use super::request::Request;
use crate::complaint::Complaint;
use crate::session::describe::Described;
use crate::session::exit::ExitCode;
use crate::session::fold::Phase;

/// Between two looks. Not less, or two signatures could be the same.
const LOOK: Duration = Duration::from_secs(1);
/// The one error of a result whose video is there.
const CALLBACK_FAILED: &str = "CallbackFailed";

/// Asks until the task has the status or is beyond it. Each new status is told on stderr.
pub(super) async fn until(
    gateway: &Gateway,
    request: &Request,
    wanted: Phase,
    within: Duration,
) -> Result<(Answer, Described), Complaint> {
    let until = Instant::now() + within;
    let mut last = None;
    loop {
        let answer = gateway.ask(request).await?;
        let described = Described::deserialize(&answer.body)
            .map_err(|error| Complaint::internal(format!("the answer is none of Describe: {error}")))?;
        let status = described.status;
        if last != Some(status) {
            eprintln!("{}: {status}", described.task_id);
            last = Some(status);
        }
        if is_there(status, wanted) {
            return Ok((answer, described));
        }
        if Instant::now() + LOOK >= until {
            let seconds = within.as_secs();
            return Err(Complaint::internal(format!(
                "the task is still {status} after {seconds} s; give --within more"
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether a task has a status, or can have it no more.
fn is_there(status: Phase, wanted: Phase) -> bool {
    status == wanted || status.rank() > wanted.rank()
}

/// How a command ends that has waited.
pub(super) fn verdict(described: &Described) -> Result<ExitCode, Complaint> {
    let Some(result) = described.result.as_ref().filter(|_| described.status == Phase::Finished) else {
        return Ok(ExitCode::Done);
    };
    let error = result.error_code.as_deref().filter(|code| *code != CALLBACK_FAILED);
    match error {
        Some(code) => {
            let message = result.error_message.as_deref().unwrap_or("without a word");
            Err(Complaint::internal(format!("the recording has failed: {code}: {message}")))
        }
        None if result.videos.is_empty() => Err(Complaint::new(ExitCode::NothingRecorded, "nothing was recorded")),
        None => Ok(ExitCode::Done),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_is_waited_for_until_it_can_come_no_more() {
        for (status, wanted, there) in [
            (Phase::Normal, Phase::Recording, false),
            (Phase::Paused, Phase::Recording, false),
            (Phase::Recording, Phase::Recording, true),
            (Phase::Canceled, Phase::Recording, true),
            (Phase::Callback, Phase::Finished, false),
            (Phase::Finished, Phase::Finished, true),
        ] {
            assert_eq!(is_there(status, wanted), there, "{status} {wanted}");
        }
    }

    #[test]
    fn a_result_is_a_verdict() {
        let video = json!({"Filename": "a.mp4", "FileSize": 1, "FileDuration": 1.5});
        for (status, result, code) in [
            ("finished", json!({"Videos": [video]}), Ok(ExitCode::Done)),
            ("finished", json!({"ErrorCode": CALLBACK_FAILED, "Videos": [video]}), Ok(ExitCode::Done)),
            ("finished", json!({"Videos": []}), Err(ExitCode::NothingRecorded)),
            ("finished", json!({"ErrorCode": CALLBACK_FAILED, "Videos": []}), Err(ExitCode::NothingRecorded)),
            ("finished", json!({"ErrorCode": "InternalErr", "Videos": []}), Err(ExitCode::Internal)),
            ("callback", json!({"Videos": []}), Ok(ExitCode::Done)),
            ("recording", json!(null), Ok(ExitCode::Done)),
        ] {
            let described = json!({"TaskID": "a", "Status": status, "Result": result});
            let described: Described = serde_json::from_value(described).unwrap();
            assert_eq!(verdict(&described).map_err(|complaint| complaint.code), code, "{status} {result}");
        }
    }
}
