//! Figures, for whoever looks at them.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::place::{DEADLINE, Place, end};
use crate::support::Server;

const STARTS: usize = 300;
/// Of 99 in 100.
const ANSWERED_WITHIN: Duration = Duration::from_millis(50);

/// One is recorded meanwhile, and the others wait for their turn.
#[test]
#[ignore = "measures: run alone by `make test-serve ONLY='--ignored figure_'`"]
fn figure_start_to_answer() {
    let server = Server::start();
    let place = Place::new(&["--max-recordings", "1"]);
    let run = place.serve();
    let client = place.client();
    let data = json!({"RecordURL": server.url("clock.html"), "Width": 640, "Height": 360, "FrameRate": 15});
    let recorded = client.start(data.clone());
    client.until(&recorded, "recording", DEADLINE);
    for way in ["one after the other", "by four at a time"] {
        let workers = if way.starts_with("one") { 1 } else { 4 };
        let took = std::thread::scope(|scope| {
            let starts = |_| {
                scope.spawn(|| {
                    let start = || {
                        let began = Instant::now();
                        client.start(data.clone());
                        began.elapsed()
                    };
                    std::iter::repeat_with(start).take(STARTS / workers).collect::<Vec<_>>()
                })
            };
            let workers: Vec<_> = (0..workers).map(starts).collect();
            let mut took: Vec<_> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
            took.sort();
            took
        });
        let [p50, p99, longest] = [took.len() / 2, took.len() * 99 / 100, took.len() - 1].map(|nth| took[nth]);
        println!("    {} Starts, {way}: p50 {p50:.1?}, p99 {p99:.1?}, longest {longest:.1?}", took.len());
        assert!(p99 <= ANSWERED_WITHIN, "{p99:?}");
    }
    end(run);
}
