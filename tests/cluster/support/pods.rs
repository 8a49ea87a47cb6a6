//! Processes of pods, as this machine sees them, and their ends.

use std::fs;

use serde_json::Value;

/// The process that is pid 1 of this container.
pub fn main_process(pod: &Value, container: &str) -> i32 {
    let uid = pod["metadata"]["uid"].as_str().expect("a UID");
    let found = fs::read_dir("/proc").expect("/proc").flatten().filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let of_pod = fs::read_to_string(entry.path().join("cgroup")).ok()?.contains(uid);
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let inner = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?.split_whitespace().last()?.to_owned();
        let command = fs::read(entry.path().join("cmdline")).ok()?;
        let is_it = command.split(|byte| *byte == 0).any(|arg| arg == container.as_bytes());
        (of_pod && inner == "1" && is_it).then_some(pid)
    });
    let all: Vec<i32> = found.collect();
    assert_eq!(all.len(), 1, "pid 1 of {container} in pod {uid}: {all:?}");
    all[0]
}

/// Ends a container as the kernel would.
pub fn kill_container(pod: &Value, container: &str) {
    let pid = nix::unistd::Pid::from_raw(main_process(pod, container));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("killed");
}

/// Whether a process of this pod runs a program of this name.
pub fn runs(pod: &Value, program: &str) -> bool {
    let uid = pod["metadata"]["uid"].as_str().expect("a UID");
    fs::read_dir("/proc").expect("/proc").flatten().any(|entry| {
        let of_pod = fs::read_to_string(entry.path().join("cgroup")).is_ok_and(|cgroup| cgroup.contains(uid));
        of_pod && fs::read_to_string(entry.path().join("comm")).is_ok_and(|comm| comm.trim() == program)
    })
}

/// What a container has used.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    pub cpu_seconds: f64,
    /// Without files that the kernel may drop.
    pub memory_mib: u64,
}

/// What this container has used, by its control groups (version 1 or 2).
pub fn usage(pod: &Value, container: &str) -> Usage {
    let pid = main_process(pod, container);
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("its control groups");
    let path = |controller: &str| {
        groups.lines().find_map(|line| {
            let (names, path) = line.split_once(':')?.1.split_once(':')?;
            names.split(',').any(|name| name == controller).then(|| path.to_owned())
        })
    };
    let number = |text: &str| text.trim().parse::<u64>().unwrap_or(0);
    let field = |text: &str, name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    let read = |path: String| fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    if let (Some(cpu), Some(memory)) = (path("cpuacct"), path("memory")) {
        let memory = format!("/sys/fs/cgroup/memory{memory}");
        let used = number(&read(format!("{memory}/memory.usage_in_bytes")));
        let files = field(&read(format!("{memory}/memory.stat")), "total_inactive_file ");
        let nanoseconds = number(&read(format!("/sys/fs/cgroup/cpuacct{cpu}/cpuacct.usage")));
        return Usage { cpu_seconds: nanoseconds as f64 / 1e9, memory_mib: used.saturating_sub(files) >> 20 };
    }
    let folder = format!("/sys/fs/cgroup{}", path("").expect("a group of version 2"));
    let used = number(&read(format!("{folder}/memory.current")));
    let files = field(&read(format!("{folder}/memory.stat")), "inactive_file ");
    let microseconds = field(&read(format!("{folder}/cpu.stat")), "usage_usec ");
    Usage { cpu_seconds: microseconds as f64 / 1e6, memory_mib: used.saturating_sub(files) >> 20 }
}
