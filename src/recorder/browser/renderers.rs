//! Chrome's renderer processes, found by /proc.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A renderer of this Chrome, with its resident memory in bytes.
#[derive(Debug, Clone, Copy)]
struct Renderer {
    pid: Pid,
    bytes: u64,
}

/// The resident memory of the largest renderer in the session that `chrome` leads, in bytes.
pub fn largest_renderer_bytes(chrome: Pid) -> u64 {
    largest(chrome).map_or(0, |renderer| renderer.bytes)
}

/// Ends the largest renderer, which is the page or the hungriest of its frames.
pub fn end_largest_renderer(chrome: Pid) -> bool {
    largest(chrome).is_some_and(|renderer| kill(renderer.pid, Signal::SIGKILL).is_ok())
}

fn largest(chrome: Pid) -> Option<Renderer> {
    let entries = fs::read_dir("/proc").ok()?;
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| renderer(pid, chrome))
        .max_by_key(|renderer| renderer.bytes)
}

fn renderer(pid: i32, chrome: Pid) -> Option<Renderer> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; the fields after it are: state, parent, group,
    // session (proc_pid_stat(5)).
    let session: i32 = stat.rsplit_once(") ")?.1.split(' ').nth(3)?.parse().ok()?;
    if session != chrome.as_raw() {
        return None;
    }
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let is_renderer = command
        .split(|b| *b == 0 || *b == b' ')
        .any(|argument| argument == b"--type=renderer");
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    is_renderer.then_some(Renderer {
        pid: Pid::from_raw(pid),
        bytes: pages * page_size(),
    })
}

fn page_size() -> u64 {
    rustix::param::page_size() as u64
}
