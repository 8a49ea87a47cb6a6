//! Chrome's renderer processes, found by /proc.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::recorder::processes::{Process, processes};

/// A renderer of this Chrome, with its resident memory in bytes.
#[derive(Debug, Clone, Copy)]
struct Renderer {
    pid: Pid,
    bytes: u64,
    /// Processor time, in clock ticks.
    ticks: u64,
}

/// The resident memory of the largest renderer in the session that `chrome` leads, in bytes.
pub fn largest_renderer_bytes(chrome: Pid) -> u64 {
    renderers(chrome).map(|renderer| renderer.bytes).max().unwrap_or(0)
}

/// Ends the largest renderer, which is the page or the hungriest of its frames.
pub fn end_largest_renderer(chrome: Pid) -> bool {
    end(renderers(chrome).max_by_key(|renderer| renderer.bytes))
}

/// Ends the renderer that has used most of the processor: one in an endless loop.
pub fn end_busiest_renderer(chrome: Pid) -> bool {
    end(renderers(chrome).max_by_key(|renderer| renderer.ticks))
}

fn end(renderer: Option<Renderer>) -> bool {
    renderer.is_some_and(|renderer| kill(renderer.pid, Signal::SIGKILL).is_ok())
}

fn renderers(chrome: Pid) -> impl Iterator<Item = Renderer> {
    processes().filter(move |process| process.session == chrome.as_raw()).filter_map(renderer)
}

fn renderer(Process { pid, ticks, .. }: Process) -> Option<Renderer> {
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut arguments = command.split(|b| *b == 0 || *b == b' ');
    // Chrome draws parts of its own window by renderers too.
    let has = |flag: &[u8]| command.windows(flag.len()).any(|part| part == flag);
    let is_renderer = arguments.any(|argument| argument == b"--type=renderer") && !has(b"--top-chrome-webui");
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    is_renderer.then_some(Renderer { pid: Pid::from_raw(pid), bytes: pages * page_size(), ticks })
}

fn page_size() -> u64 {
    rustix::param::page_size() as u64
}
