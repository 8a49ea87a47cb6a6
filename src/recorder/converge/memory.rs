//! The largest renderer is ended before memory runs out, so that a greedy page does not take the
//! whole recording with it.

use std::fs;

use super::run::Converge;
use crate::recorder::browser::{end_largest_renderer, largest_renderer_bytes};
use crate::session::event::GapCause;

/// No page needs as much, in bytes; Chrome's own limit for a page's heap lies near it.
const LARGEST_RENDERER: u64 = 4 << 30;
/// What must stay free of the memory, as a share and at least, in bytes.
const FREE_SHARE: u64 = 10;
const LEAST_FREE: u64 = 256 << 20;
/// Where memory is short, a renderer is to blame from this size on, as a share of all of it and at most,
/// in bytes; below that somebody else is, and its end would not help.
const GUILTY_SHARE: u64 = 4;
const GUILTY: u64 = 1 << 30;
/// Renderers are looked for only once so much more memory is in use than at the start, in bytes.
const NOTABLE: u64 = 1 << 30;

/// Where to read how much memory there is and how much is left.
pub(super) struct MemoryWatch {
    free_at_start: u64,
    cgroup: Option<String>,
}

/// In bytes.
#[derive(Debug, Clone, Copy)]
struct Memory {
    total: u64,
    free: u64,
}

impl Memory {
    fn is_short(self) -> bool {
        self.free < (self.total / FREE_SHARE).max(LEAST_FREE.min(self.total / 4))
    }

    /// Whether the largest renderer has to end, by its size in bytes.
    fn condemns(self, renderer: u64) -> bool {
        renderer > LARGEST_RENDERER || (self.is_short() && renderer > (self.total / GUILTY_SHARE).min(GUILTY))
    }
}

impl MemoryWatch {
    pub fn new() -> Self {
        let mut watch = Self { free_at_start: 0, cgroup: own_cgroup() };
        watch.free_at_start = watch.read().map_or(0, |memory| memory.free);
        watch
    }

    /// The tighter of the machine's memory and the control group's.
    fn read(&self) -> Option<Memory> {
        let machine = machine()?;
        let group = self.cgroup.as_deref().and_then(group);
        Some(group.filter(|group| group.free < machine.free).unwrap_or(machine))
    }
}

impl Converge {
    pub(super) fn watch_memory(&mut self) {
        let (true, Some(browser), Some(memory)) = (self.stage_ready, &self.stage.browser, self.memory.read()) else {
            return;
        };
        let used = self.memory.free_at_start.saturating_sub(memory.free);
        if used < NOTABLE && !memory.is_short() {
            return;
        }
        let chrome = browser.child.pid();
        if memory.condemns(largest_renderer_bytes(chrome)) && end_largest_renderer(chrome) {
            tracing::warn!("the page takes too much memory, its renderer was ended");
            self.stuck.condemn(GapCause::OutOfMemory);
        }
    }
}

fn machine() -> Option<Memory> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
    };
    Some(Memory { total: field("MemTotal:")?, free: field("MemAvailable:")? })
}

/// The folder of our control group (cgroup v2), if it can have a limit.
fn own_cgroup() -> Option<String> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?.trim_end_matches('/');
    let folder = format!("/sys/fs/cgroup{path}");
    fs::exists(format!("{folder}/memory.max")).ok()?.then_some(folder)
}

fn group(folder: &str) -> Option<Memory> {
    let number = |name: &str| fs::read_to_string(format!("{folder}/{name}")).ok()?.trim().parse::<u64>().ok();
    let (total, used) = (number("memory.max")?, number("memory.current")?);
    // Pages of files can be dropped, so they count as free.
    let stat = fs::read_to_string(format!("{folder}/memory.stat")).ok()?;
    let files = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse::<u64>().ok());
    Some(Memory { total, free: total.saturating_sub(used).saturating_add(files.unwrap_or(0)).min(total) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renderer_ends_for_what_it_took_and_not_for_what_others_did() {
        let gib = |tenths: u64| (tenths << 30) / 10;
        let memory = |total, free| Memory { total: gib(total), free: gib(free) };
        // A pod of 3 GiB, a laptop of 16.
        assert!(memory(30, 2).condemns(gib(15)));
        assert!(!memory(30, 2).condemns(gib(4)));
        assert!(!memory(30, 10).condemns(gib(15)));
        assert!(memory(160, 10).condemns(gib(20)));
        assert!(!memory(160, 10).condemns(gib(5)));
        assert!(memory(160, 100).condemns(gib(41)));
    }
}
