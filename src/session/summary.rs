//! A report that fits into a few kilobytes: what a container may leave behind as its last words.

use super::status::{Report, Video};

/// The most that Kubernetes keeps of a container's termination message, in bytes: 12 KiB of a pod, shared
/// equally by its containers, and a recorder pod has four (kubelet, kuberuntime: MaxPodTerminationMessageLogLength).
pub const TERMINATION_MESSAGE_BYTES: usize = 3072;

/// One way to make a report smaller; false when it has nothing left to take.
type Cut = fn(&mut Report) -> bool;

/// What can be missed best comes first: lists, then warnings, then the words of an error. What
/// follows is never that long in earnest.
const CUTS: [Cut; 6] = [halve_items, halve_warnings, shorten_error, shorten_words, shorten_videos, drop_videos];

/// The report as JSON of at most [`TERMINATION_MESSAGE_BYTES`], which reads back as a report.
///
/// # Errors
/// None that a report of ours can give: it has no map with keys that are not texts.
pub fn summary(mut report: Report) -> Result<String, serde_json::Error> {
    let mut cuts = CUTS.iter();
    let mut cut = cuts.next();
    loop {
        let text = serde_json::to_string(&report)?;
        if text.len() <= TERMINATION_MESSAGE_BYTES {
            return Ok(text);
        }
        while let Some(step) = cut
            && !step(&mut report)
        {
            cut = cuts.next();
        }
        if cut.is_none() {
            return Ok(text);
        }
    }
}

fn halve_items(report: &mut Report) -> bool {
    // Both, for whichever is longer cannot be told by its count alone.
    let pauses = report.status.pauses.halve();
    let gaps = report.status.gaps.halve();
    pauses || gaps
}

fn halve_warnings(report: &mut Report) -> bool {
    report.warnings.halve()
}

fn shorten_error(report: &mut Report) -> bool {
    match &mut report.status.result {
        Some(result) => halve_text(&mut result.error_message, 64),
        None => false,
    }
}

fn shorten_words(report: &mut Report) -> bool {
    let code = report.status.result.as_mut().is_some_and(|result| halve_text(&mut result.error_code, 16));
    let version = halve_text(&mut report.status.recorder.browser_version, 16);
    let republish = halve_text(&mut report.republish, 16);
    code || version || republish
}

fn shorten_videos(report: &mut Report) -> bool {
    let videos = report.status.result.iter_mut().flat_map(|result| &mut result.videos);
    let mut shorter = false;
    for Video { filename, url, file_id, .. } in videos {
        shorter |= halve(filename, 256);
        // Half an address is none.
        for text in [url, file_id] {
            if text.as_ref().is_some_and(|text| text.len() > 1024) {
                *text = None;
                shorter = true;
            }
        }
    }
    shorter
}

fn drop_videos(report: &mut Report) -> bool {
    report.status.result.as_mut().is_some_and(|result| result.videos.pop().is_some())
}

fn halve_text(text: &mut Option<String>, least: usize) -> bool {
    text.as_mut().is_some_and(|text| halve(text, least))
}

/// Leaves the first half of the characters, and a sign that there were more; not below `least`.
fn halve(text: &mut String, least: usize) -> bool {
    let count = text.chars().count();
    if count <= least {
        return false;
    }
    let kept = (count / 2).max(least.saturating_sub(1));
    *text = text.chars().take(kept).chain(['…']).collect();
    true
}
