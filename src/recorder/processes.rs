//! The machine's processes, by /proc.

use std::{fs, io};

/// What /proc/PID/stat says of a process (proc_pid_stat(5)).
#[derive(Debug, Clone, Copy)]
pub struct Process {
    pub pid: i32,
    /// The process that leads its session.
    pub session: i32,
    /// User and system time, in clock ticks.
    pub ticks: u64,
}

/// All processes that can be seen.
pub fn processes() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?))
}

/// Lets the threads that a process has run the moment they are woken, before all ordinary ones:
/// the lowest of the real-time priorities (sched(7)). Refused where we may not, as other than root.
pub fn run_first(pid: i32) -> io::Result<()> {
    let lowest = libc::sched_param { sched_priority: 1 };
    for entry in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        let Some(thread) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // SAFETY: plain system call; `lowest` lives until it returns.
        if unsafe { libc::sched_setscheduler(thread, libc::SCHED_RR, &raw const lowest) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn parse(pid: i32, stat: &str) -> Option<Process> {
    // The name in brackets may hold anything; the fields after it begin with state, parent,
    // group, session; user and system time are the 12th and 13th.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let field = |i: usize| fields.get(i)?.parse::<u64>().ok();
    Some(Process { pid, session: field(3)? as i32, ticks: field(11)? + field(12)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_is_no_obstacle() {
        let stat = "7 (a) b (c) S 1 5 4 0 -1 4194560 1 2 3 4 70 30 0 0 20 0 1 0 1 2 3";
        let process = parse(7, stat).expect("a process");
        assert_eq!((process.pid, process.session, process.ticks), (7, 4, 100));
        let own = processes().find(|process| process.pid == std::process::id() as i32);
        assert!(own.is_some());
    }
}
