//! How long Chrome takes to show what the page draws.
//!
//! A page draws at the beginning of a refresh. Chrome shows that in the same refresh, the next
//! one, or the one after that: a page that once was not ready in time, and draws without a pause,
//! stays behind for as long as it draws. Chrome tells for each picture in its own trace.

use std::collections::HashMap;
use std::time::Duration;

use chromiumoxide::Browser as Connection;
use chromiumoxide::cdp::browser_protocol::tracing::{
    EndParams, EventDataCollected, EventTracingComplete, StartParams, StartTransferMode, TraceConfig,
};
use chromiumoxide::error::CdpError;
use futures::StreamExt;
use serde_json::Value;

/// The events of Chrome's own benchmarks: a few a refresh, and what we look for is among them.
const CATEGORY: &str = "benchmark";
/// The way of one picture from the beginning of its refresh to the display: two events, of which
/// the first has the outcome.
const PICTURE: &str = "PipelineReporter";
/// What the page itself had drawn was in it, or it had nothing to draw.
const WHOLE: &str = "STATE_PRESENTED_ALL";
/// Chrome hands over what it has traced in less than a tenth of a second.
const ANSWER: Duration = Duration::from_secs(2);
/// Some refreshes are enough.
const BUFFER_KB: f64 = 1024.0;

/// How many of the last pictures tell what the next will take.
const LAST: usize = 3;
/// Pictures that take the same number of refreshes differ by less, in microseconds; one of them is
/// 16,667 at least.
const STEADY_US: i64 = 10_000;

/// How long pictures took of late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Delay {
    /// In microseconds.
    pub us: i64,
    /// Whether the last ones took the same; a page that is still busy loading has others.
    pub steady: bool,
}

/// How long the pictures took that the page drew while `refreshes` went by; None where it drew
/// none, or Chrome does not tell. Only one may look at a time.
pub(super) async fn delay(
    connection: &Connection,
    browser_pid: i32,
    refreshes: impl Future<Output = ()>,
) -> Option<Delay> {
    let traces = tokio::time::timeout(ANSWER, begin(connection)).await;
    refreshes.await;
    traces.ok()?.inspect_err(|error| tracing::debug!(%error, "Chrome does not trace")).ok()?;
    let events = tokio::time::timeout(ANSWER, end(connection)).await;
    let events = events.ok()?.inspect_err(|error| tracing::debug!(%error, "Chrome's trace is lost")).ok()?;
    let delays = delays(&events, browser_pid);
    tracing::debug!(?delays, "traced");
    last_delay(&delays)
}

async fn begin(connection: &Connection) -> Result<(), CdpError> {
    let config = TraceConfig::builder()
        .included_categorie(CATEGORY)
        .excluded_categorie("*")
        .trace_buffer_size_in_kb(BUFFER_KB)
        .build();
    let start = StartParams::builder().trace_config(config).transfer_mode(StartTransferMode::ReportEvents).build();
    connection.execute(start).await?;
    Ok(())
}

async fn end(connection: &Connection) -> Result<Vec<Value>, CdpError> {
    let mut collected = connection.event_listener::<EventDataCollected>().await?;
    let mut complete = connection.event_listener::<EventTracingComplete>().await?;
    connection.execute(EndParams::default()).await?;
    let mut events = Vec::new();
    loop {
        tokio::select! {
            // All that was collected is told before the end.
            biased;
            Some(some) = collected.next() => events.extend(some.value.iter().cloned()),
            _ = complete.next() => return Ok(events),
        }
    }
}

/// Of each picture, in the order in which they were shown, in microseconds. Chrome's own windows,
/// which the browser process draws itself, do not count.
fn delays(events: &[Value], browser_pid: i32) -> Vec<i64> {
    let mut steps: Vec<(i64, &Value)> = events
        .iter()
        .filter(|event| event["name"] == PICTURE && event["pid"] != browser_pid)
        .filter_map(|event| Some((event["ts"].as_i64()?, event)))
        .collect();
    steps.sort_by_key(|(at, _)| *at);
    let mut begun = HashMap::new();
    let mut delays = Vec::new();
    for (at, event) in steps {
        // One name is used for one picture after the other.
        let name = (event["pid"].as_i64(), event["id2"].to_string());
        if event["ph"] == "b" {
            let whole = event["args"]["frame_reporter"]["state"] == WHOLE;
            begun.insert(name, whole.then_some(at));
        } else if let Some(Some(began)) = begun.remove(&name) {
            delays.push(at - began);
        }
    }
    delays
}

fn last_delay(delays: &[i64]) -> Option<Delay> {
    let mut last = delays[delays.len().saturating_sub(LAST)..].to_vec();
    last.sort_unstable();
    let us = last.get(last.len() / 2).copied()?;
    let steady = last[last.len() - 1] - last[0] < STEADY_US;
    Some(Delay { us, steady })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn picture(pid: i32, id: &str, state: &str, from: i64, to: i64) -> [Value; 2] {
        let id2 = json!({ "local": id });
        [
            json!({ "name": PICTURE, "ph": "b", "pid": pid, "id2": id2, "ts": from,
                    "args": { "frame_reporter": { "frame_sequence": 139, "state": state } } }),
            json!({ "name": PICTURE, "ph": "e", "pid": pid, "id2": id2, "ts": to, "args": {} }),
        ]
    }

    #[test]
    fn only_whole_pictures_of_pages_count() {
        let own = [picture(1, "0x1", WHOLE, 0, 99_000), picture(1, "0x1", WHOLE, 100_000, 199_000)];
        assert!(delays(&own.concat(), 1).is_empty());
        let pages = [
            picture(2, "0x1", "STATE_PRESENTED_PARTIAL", 0, 3_000),
            picture(2, "0x2", WHOLE, 0, 36_000),
            picture(2, "0x1", WHOLE, 33_000, 70_000),
            picture(3, "0x1", WHOLE, 33_000, 101_000),
        ];
        assert_eq!(delays(&[own.concat(), pages.concat()].concat(), 1), [36_000, 37_000, 68_000]);
        let mut cut_off = pages.concat();
        cut_off.retain(|event| event["ph"] == "e");
        assert!(delays(&cut_off, 1).is_empty());
    }

    #[test]
    fn the_last_pictures_tell_and_whether_they_are_alike() {
        assert_eq!(last_delay(&[]), None);
        assert_eq!(last_delay(&[72_000, 71_000, 36_000]), Some(Delay { us: 71_000, steady: false }));
        assert_eq!(last_delay(&[72_000, 71_000, 36_000, 39_000, 36_500]), Some(Delay { us: 36_500, steady: true }));
        assert_eq!(last_delay(&[20_000, 3_000, 4_000, 20_500]), Some(Delay { us: 4_000, steady: false }));
        assert_eq!(last_delay(&[3_000, 4_000]), Some(Delay { us: 4_000, steady: true }));
    }
}
