//! `panorec await`: the pod's main container. It ends as the recording does, and leaves the result
//! as the container's last words.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use crate::complaint::Complaint;
use crate::session::event::{Failure, RecorderEvent};
use crate::session::exit::ExitCode;
use crate::session::fold::Folded;
use crate::session::folder::{FolderError, SessionDir};
use crate::session::history::{History, RunLog};
use crate::session::name::RunNumber;
use crate::session::status::Report;
use crate::session::summary::summary;
use crate::terminate::Terminate;

const LOOK: Duration = Duration::from_millis(250);
/// What of the grace period is left to say the last words in.
const RESERVE: Duration = Duration::from_secs(5);
/// So many runs in a row that fail without a picture are a matter for another machine.
const FAILURES: usize = 3;

/// The arguments of `panorec await`.
#[derive(Debug, Args)]
pub struct AwaitArgs {
    /// The session folder
    #[arg(long, env = "PANOREC_SESSION", value_name = "DIR", default_value = "/session")]
    session: PathBuf,
    /// Wait for the result of this request to publish again
    #[arg(long, env = "PANOREC_REPUBLISH", value_name = "VALUE")]
    republish: Option<String>,
    /// How long the pod may take to end, in seconds
    #[arg(long, env = "PANOREC_GRACE_SECONDS", value_name = "SECONDS", default_value_t = 30)]
    grace_seconds: u32,
    /// Where the result goes that is read when this container has ended
    #[arg(long, env = "PANOREC_TERMINATION_MESSAGE", value_name = "FILE", default_value = "/dev/termination-log")]
    message: PathBuf,
}

pub(super) async fn await_result(args: AwaitArgs) -> Result<ExitCode, Complaint> {
    let mut terminate = Terminate::listen()?;
    let session = SessionDir::open_halves(&args.session)?;
    let before = session.newest_recorder_run()?;
    let mut look = tokio::time::interval(LOOK);
    let mut deadline: Option<Instant> = None;
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = terminate.asked() => {
                // Publishing goes on in another pod just as well, but it may be nearly done.
                if !folded(&session)?.is_stopped() {
                    return Ok(ExitCode::Interrupted);
                }
                let grace = Duration::from_secs(args.grace_seconds.into()).saturating_sub(RESERVE);
                deadline.get_or_insert(Instant::now() + grace);
            }
        }
        if let Some(report) = wanted(session.result(), args.republish.as_deref())? {
            say(&args, report)?;
            return Ok(ExitCode::of(&folded(&session)?));
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(ExitCode::Interrupted);
        }
        // Reading all journals is worth it only where there are runs enough.
        if args.republish.is_none()
            && session.newest_recorder_run()? >= RunNumber(before.0.saturating_add(FAILURES as u32))
            && let Ok(history) = session.history()
            && fails_always(&history, before)
        {
            tracing::error!("the recorder has failed {FAILURES} times in a row");
            return Ok(ExitCode::Internal);
        }
    }
}

/// The result, when it is the one that is waited for.
fn wanted(result: Result<Option<Report>, FolderError>, republish: Option<&str>) -> Result<Option<Report>, FolderError> {
    Ok(result?.filter(|report| republish.is_none() || report.republish.as_deref() == republish))
}

fn folded(session: &SessionDir) -> Result<Folded, FolderError> {
    // The publisher has said what is wrong with the recorder's half.
    session.folded().or_else(|_| session.folded_without_recorder())
}

/// Writes the last words. A place that cannot be written to costs them, not the exit code.
fn say(args: &AwaitArgs, report: Report) -> Result<(), Complaint> {
    let text = summary(report).map_err(Complaint::internal)?;
    if let Err(error) = std::fs::write(&args.message, text) {
        tracing::warn!(%error, path = %args.message.display(), "the result is not left to the kubelet");
    }
    Ok(())
}

/// Whether the newest runs since `before` all failed by themselves, and recorded nothing.
fn fails_always(history: &History, before: RunNumber) -> bool {
    let failed = |log: &RunLog<RecorderEvent>| {
        let mut events = log.lines.iter().map(|line| &line.entry.event);
        let internal =
            |event: &RecorderEvent| matches!(event, RecorderEvent::Failed { failure: Failure::Internal, .. });
        events.clone().any(internal) && !events.any(|event| matches!(event, RecorderEvent::PartOpened { .. }))
    };
    let newest: Vec<_> = history.recorder.iter().rev().take(FAILURES).collect();
    newest.len() == FAILURES && newest.iter().all(|log| log.run > before && failed(log))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::event::{EVENT_VERSION, Entry, Moment};
    use crate::session::history::Line;
    use crate::session::name::PartName;

    fn log(run: u32, events: Vec<RecorderEvent>) -> RunLog<RecorderEvent> {
        let line = |(at, event)| Line {
            entry: Entry { v: EVENT_VERSION, at: Moment::now(), event },
            end_offset: at as u64 + 1,
        };
        RunLog { run: RunNumber(run), lines: events.into_iter().enumerate().map(line).collect() }
    }

    #[test]
    fn three_failures_in_a_row_without_a_picture_are_enough() {
        let failed = || vec![RecorderEvent::Failed { failure: Failure::Internal, message: "no X".into() }];
        let part = PartName { run: RunNumber(3), part: 1 };
        let mut with_picture = failed();
        with_picture.insert(0, RecorderEvent::PartOpened { part, video_us: 0 });
        let history = |third| History::new(vec![log(2, failed()), log(3, third), log(4, failed())], Vec::new());
        assert!(fails_always(&history(failed()), RunNumber(1)));
        assert!(!fails_always(&history(failed()), RunNumber(2)), "one was before this pod");
        assert!(!fails_always(&history(with_picture), RunNumber(1)));
        assert!(!fails_always(&history(Vec::new()), RunNumber(1)), "killed, not failed");
        assert!(!fails_always(&History::default(), RunNumber(0)));
    }
}
