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

/// How long the pictures took that the page drew while `refreshes` went by, in microseconds; None
/// where it drew none, or Chrome does not tell. Only one may look at a time.
pub(super) async fn delay(
    connection: &Connection,
    browser_pid: i32,
    refreshes: impl Future<Output = ()>,
) -> Option<i64> {
    let traces = tokio::time::timeout(ANSWER, begin(connection)).await;
    refreshes.await;
    traces.ok()?.inspect_err(|error| tracing::debug!(%error, "Chrome does not trace")).ok()?;
    let events = tokio::time::timeout(ANSWER, end(connection)).await;
    let events = events.ok()?.inspect_err(|error| tracing::debug!(%error, "Chrome's trace is lost")).ok()?;
    median_delay(&events, browser_pid)
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

/// Chrome's own windows, which the browser process draws itself, do not count.
fn median_delay(events: &[Value], browser_pid: i32) -> Option<i64> {
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
    delays.sort_unstable();
    delays.get(delays.len() / 2).copied()
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
        assert_eq!(median_delay(&own.concat(), 1), None);
        let pages = [
            picture(2, "0x1", "STATE_PRESENTED_PARTIAL", 0, 3_000),
            picture(2, "0x2", WHOLE, 0, 36_000),
            picture(2, "0x1", WHOLE, 33_000, 70_000),
            picture(3, "0x1", WHOLE, 33_000, 101_000),
        ];
        assert_eq!(median_delay(&[own.concat(), pages.concat()].concat(), 1), Some(37_000));
        let mut cut_off = pages.concat();
        cut_off.retain(|event| event["ph"] == "e");
        assert_eq!(median_delay(&cut_off, 1), None);
    }
}
