//! The signal that asks a process of a cluster to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::complaint::Complaint;

/// SIGTERM as the kubelet sends it, and Ctrl-C where a person runs a container by hand.
pub(crate) struct Terminate {
    terminate: Signal,
    interrupt: Signal,
}

impl Terminate {
    pub(crate) fn listen() -> Result<Terminate, Complaint> {
        let listen =
            |kind| signal(kind).map_err(|error| Complaint::internal(format!("cannot receive signals: {error}")));
        Ok(Terminate { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
    pub(crate) async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
