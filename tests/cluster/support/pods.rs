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
