//! How a recording ended: for people, for programs, for the folder.

use std::io::Write;

use super::screen::{Screen, clock, size};
use crate::complaint::Complaint;
use crate::session::exit::ExitCode;
use crate::session::fold::Folded;
use crate::session::folder::SessionDir;
use crate::session::status::{Items, Report};

/// Prints the result as JSON on stdout, where that was asked for.
pub(super) fn print(dir: &SessionDir, folded: &Folded, json: bool) -> Result<(), Complaint> {
    if json {
        let report = serde_json::to_string_pretty(&report_of(dir, folded)?).map_err(Complaint::internal)?;
        writeln!(std::io::stdout(), "{report}")
            .map_err(|error| Complaint::internal(format!("cannot print the result: {error}")))?;
    }
    Ok(())
}

/// Writes result.json.
pub(super) fn write(dir: &SessionDir, folded: &Folded) -> Result<(), Complaint> {
    Ok(dir.write_result(&report_of(dir, folded)?)?)
}

fn report_of(dir: &SessionDir, folded: &Folded) -> Result<Report, Complaint> {
    let delivery = dir.delivery()?;
    let mut report = Report::of(delivery.task_id.clone(), folded, Items::All);
    report.date(&delivery);
    Ok(report)
}

/// Says in a few lines what there is.
pub(super) fn say(screen: &Screen, folded: &Folded, code: ExitCode) {
    for warning in folded.warnings.iter() {
        screen.say(format_args!("note: {warning}"));
    }
    for gap in folded.gaps() {
        screen.say(format_args!(
            "note: {:.1} s are missing at {} ({:?})",
            gap.lost_us as f64 / 1e6,
            clock(gap.at_us),
            gap.cause
        ));
    }
    for video in folded.published.videos.iter().flatten() {
        screen.say(format_args!(
            "{}  {}  {}",
            video.url.as_deref().unwrap_or(&video.filename),
            clock((video.duration_seconds * 1e6) as u64),
            size(video.size_bytes)
        ));
    }
    let why = match code {
        ExitCode::NothingRecorded => Some("stopped before the first picture; nothing was recorded"),
        ExitCode::Interrupted => Some("interrupted"),
        _ => None,
    };
    if let Some(why) = why {
        screen.say(why);
    }
    if let Some(failed) = folded.failure.as_ref().filter(|_| code != ExitCode::Done) {
        screen.say(format_args!("panorec: {}", failed.message));
    }
    if let Some((_, message)) = &folded.published.failure {
        screen.say(format_args!("panorec: {message}"));
    }
}
