//! Signals that end a recording: Ctrl-C, SIGTERM, and the terminal's end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::complaint::Complaint;

/// Counts what asks this process to end.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    // None under nohup.
    hangup: Option<Signal>,
    count: u32,
}

impl Signals {
    pub(super) fn listen() -> Result<Signals, Complaint> {
        let listen =
            |kind| signal(kind).map_err(|error| Complaint::internal(format!("cannot receive signals: {error}")));
        Ok(Signals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: match hangup_is_ignored() {
                true => None,
                false => Some(listen(SignalKind::hangup())?),
            },
            count: 0,
        })
    }

    /// Waits for the next one; returns how many there were.
    pub(super) async fn next(&mut self) -> u32 {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = hung_up(&mut self.hangup) => {}
        }
        self.count += 1;
        self.count
    }
}

async fn hung_up(hangup: &mut Option<Signal>) {
    if let Some(hangup) = hangup
        && hangup.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

/// Whether this process was started to outlive its terminal.
fn hangup_is_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .as_deref()
        .and_then(ignored_signals)
        .is_some_and(|ignored| ignored & 1 != 0)
}

/// The mask of ignored signals in /proc/<pid>/status (proc(5)): bit 0 is signal 1, SIGHUP.
fn ignored_signals(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = "Name:\tpanorec\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000000\n";
        assert_eq!(ignored_signals(status), Some(0x1001));
        assert_eq!(ignored_signals("Name:\tpanorec\n"), None);
    }
}
