//! The first process of a container: what the kernel expects of process 1, and nothing more.
//!
//! Orphans of Chrome become its children, and would stay as zombies if nobody waited for them;
//! but a process that waits for whatever ends takes from its runtime the children that the runtime
//! waits for. So the work is done by a child.

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid};

use crate::complaint::Complaint;
use crate::session::exit::ExitCode;

/// Where this is process 1: leaves the work to a child, and returns when that has ended, how it
/// did. None: this process is to do the work.
///
/// To be called before there is any other thread.
pub(crate) fn take_over() -> Result<Option<ExitCode>, Complaint> {
    if getpid() != Pid::from_raw(1) {
        return Ok(None);
    }
    let failed = |error: Errno| Complaint::internal(format!("cannot be the first process of a container: {error}"));
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD] {
        signals.add(signal);
    }
    // Blocked before the child is there, so that neither its end nor a signal is missed.
    signals.thread_block().map_err(failed)?;
    // SAFETY: there is one thread only, so the child's memory is whole.
    match unsafe { fork() }.map_err(failed)? {
        ForkResult::Child => {
            signals.thread_unblock().map_err(failed)?;
            Ok(None)
        }
        ForkResult::Parent { child } => watch_over(child, &signals).map(Some).map_err(failed),
    }
}

fn watch_over(worker: Pid, signals: &SigSet) -> Result<ExitCode, Errno> {
    loop {
        match signals.wait()? {
            Signal::SIGCHLD => {
                if let Some(code) = reap(worker)? {
                    return Ok(code);
                }
            }
            signal => {
                // It may have ended in this moment; then its end is the next signal.
                let _ = kill(worker, signal);
            }
        }
    }
}

/// Waits for all that has ended; how the worker did, if it is among them.
fn reap(worker: Pid) -> Result<Option<ExitCode>, Errno> {
    let mut ended = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == worker => ended = Some(ExitCode::of_process(code)),
            Ok(WaitStatus::Signaled(pid, ..)) if pid == worker => ended = Some(ExitCode::Internal),
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(ended),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}
