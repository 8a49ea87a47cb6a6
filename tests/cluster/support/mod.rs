//! What the cluster tests stand on: namespaces with a claim, operators as processes, statuses as a
//! watch tells them, sessions as they lie on the volume.
//! Called by the tests of this folder alone.
//! Never: leaves a namespace, a volume or a process behind, also on failure.

pub mod audit;
pub mod chart;
pub mod cluster;
pub mod gateway;
pub mod operator;
pub mod pods;
pub mod recording;
pub mod space;

use std::time::{Duration, Instant};

pub use cluster::{kubectl, kubectl_may_fail};
pub use operator::Operator;
pub use space::Space;

/// Looks until there is something, or panics with what was waited for.
pub fn wait<T>(what: &str, deadline: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < deadline, "waited {} s for {what}", deadline.as_secs());
        std::thread::sleep(Duration::from_millis(50));
    }
}
