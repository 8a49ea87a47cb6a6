//! `panorec ctl`: says something to a recording and waits until its recorder has taken it in.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::cli::{CtlArgs, Word};
use super::screen::clock;
use crate::complaint::Complaint;
use crate::session::exit::ExitCode;
use crate::session::fold::{Folded, Phase};
use crate::session::folder::{FolderWatch, Saying, SessionDir};
use crate::session::intent::{Intent, IntentState};

/// A recorder takes an edge in at once; one that does not hangs.
const DEADLINE: Duration = Duration::from_secs(10);

/// Says it, and prints one line.
pub(super) async fn ctl(args: &CtlArgs) -> Result<ExitCode, Complaint> {
    let dir = SessionDir::open(&args.dir)?;
    let shown = args.dir.display();
    let before = dir.folded()?;
    if before.is_stopped() {
        return already_stopped(&before, args);
    }
    // Watched before it is said, so that the answer is not missed.
    let mut watch = FolderWatch::new(&dir.recorder_runs_folder());
    watch_run(&watch, &dir, &before);
    let alive = dir.recorder_is_alive()?;
    let intent = dir.tell(saying(args.what))?;
    if alive {
        let deadline = Instant::now() + DEADLINE;
        let journaled = timeout_at(deadline, journaled(&dir, &intent, &mut watch)).await;
        if let Some(folded) = journaled.unwrap_or(Ok(None))? {
            println!("{shown}: {}", done(args.what, &folded));
            return Ok(ExitCode::Done);
        }
        if dir.recorder_is_alive()? {
            return Err(Complaint::internal(format!(
                "{shown}: the recorder has not taken it in within {} s; it may hang, and does it \
                 when it can",
                DEADLINE.as_secs()
            )));
        }
    }
    println!("{shown}: nothing records there now; said for the next `panorec resume {shown}`");
    Ok(ExitCode::Done)
}

/// Waits until the recorder has journaled the intent; None when it lives no more.
async fn journaled(dir: &SessionDir, intent: &Intent, watch: &mut FolderWatch) -> Result<Option<Folded>, Complaint> {
    loop {
        let folded = dir.folded()?;
        if intent.edge_after(&folded.told).is_none() {
            return Ok(Some(folded));
        }
        if !dir.recorder_is_alive()? {
            return Ok(None);
        }
        watch_run(watch, dir, &folded);
        watch.changed().await;
    }
}

fn watch_run(watch: &FolderWatch, dir: &SessionDir, folded: &Folded) {
    if let Some(run) = folded.run {
        watch.add(&dir.recorder_runs_folder().join(run.to_string()));
    }
}

fn already_stopped(folded: &Folded, args: &CtlArgs) -> Result<ExitCode, Complaint> {
    let shown = args.dir.display();
    let how = match folded.phase() {
        Phase::Finished => "finished",
        _ => "stopped",
    };
    if args.what == Word::Stop {
        println!("{shown}: is {how} already");
        return Ok(ExitCode::Done);
    }
    Err(Complaint::usage(format!(
        "{shown}: the recording is {how}, and that is final; record anew by `panorec record`"
    )))
}

fn saying(word: Word) -> Saying {
    match word {
        Word::Pause => Saying::Be(IntentState::Paused),
        Word::Resume => Saying::Be(IntentState::Recording),
        Word::Stop => Saying::Be(IntentState::Stopped),
        Word::Refresh => Saying::Refresh,
    }
}

fn done(word: Word, folded: &Folded) -> String {
    let place = clock(folded.recorded_us());
    match word {
        Word::Pause => format!("paused at {place}"),
        Word::Resume => format!("goes on at {place}"),
        Word::Refresh => format!("reloads the page at {place}"),
        Word::Stop => format!("stopped at {place}; the file is being finished"),
    }
}
