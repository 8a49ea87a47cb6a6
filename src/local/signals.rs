//! Signals that end a recording: Ctrl-C, SIGTERM, and the terminal's end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::complaint::Complaint;

/// Counts what asks this process to end.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    count: u32,
}

impl Signals {
    pub(super) fn listen() -> Result<Signals, Complaint> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Complaint::internal(format!("cannot receive signals: {error}")))
        };
        Ok(Signals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
            count: 0,
        })
    }

    /// Waits for the next one; returns how many there were.
    pub(super) async fn next(&mut self) -> u32 {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
        self.count += 1;
        self.count
    }
}
