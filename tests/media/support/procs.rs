//! Processes as /proc shows them: who descends from whom, and what is left at the end.

use std::collections::HashMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::load::{Load, Sleeper, machine_seconds};

/// A process, told apart from a later one with the same number by its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Process {
    pub pid: i32,
    started: u64,
}

struct Stat {
    process: Process,
    parent: i32,
    state: char,
    cpu_seconds: f64,
}

fn read_stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may hold anything.
    let fields: Vec<&str> = text.get(text.rfind(')')? + 2..)?.split(' ').collect();
    let number = |i: usize| fields.get(i)?.parse::<u64>().ok();
    Some(Stat {
        process: Process { pid, started: number(19)? },
        parent: number(1)? as i32,
        state: fields.first()?.chars().next()?,
        cpu_seconds: (number(11)? + number(12)?) as f64 / 100.0,
    })
}

fn all() -> Vec<Stat> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    entries.filter_map(|entry| read_stat(entry.file_name().to_str()?.parse().ok()?)).collect()
}

impl Process {
    pub fn is_alive(&self) -> bool {
        read_stat(self.pid).is_some_and(|stat| stat.process == *self && !"ZX".contains(stat.state))
    }

    pub fn command_line(&self) -> String {
        let bytes = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_owned()
    }

    /// The file name of what it runs, as its command line says.
    pub fn program(&self) -> String {
        let line = self.command_line();
        let first = line.split(' ').next().unwrap_or_default();
        first.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// Processor time used so far, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        read_stat(self.pid).map_or(0.0, |stat| stat.cpu_seconds)
    }

    fn has_environment(&self, entry: &str) -> bool {
        let bytes = fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        bytes.split(|&byte| byte == 0).any(|one| one == entry.as_bytes())
    }

    pub fn kill(&self) {
        if self.is_alive() {
            // SAFETY: plain system call; the process was checked to be the one that was seen.
            unsafe { libc::kill(self.pid, libc::SIGKILL) };
        }
    }
}

/// Everything that descends from `root` now, `root` included.
pub fn descendants(root: i32) -> Vec<Process> {
    let all = all();
    let mut family = vec![root];
    let mut found = Vec::new();
    while let Some(parent) = family.pop() {
        found.extend(all.iter().find(|stat| stat.process.pid == parent).map(|stat| stat.process));
        family.extend(all.iter().filter(|s| s.parent == parent).map(|s| s.process.pid));
    }
    found
}

/// Follows a process tree, so that what was left behind by a killed parent is still known.
pub struct Watch {
    seen: Arc<Mutex<HashMap<Process, f64>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    mark: String,
    began: Instant,
    machine: (f64, f64),
    self_cpu: f64,
    sleeper: Sleeper,
}

impl Watch {
    /// `mark` is an entry NAME=VALUE that the environment of `root` holds.
    pub fn new(root: i32, mark: String) -> Watch {
        let seen = Arc::new(Mutex::new(HashMap::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (seen, stop) = (seen.clone(), stop.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    note(root, &seen);
                    std::thread::park_timeout(Duration::from_millis(250));
                }
                note(root, &seen);
            }
        });
        let self_cpu = own_cpu();
        let (began, machine, sleeper) = (Instant::now(), machine_seconds(), Sleeper::start());
        Watch { seen, stop, thread: Some(thread), mark, began, machine, self_cpu, sleeper }
    }

    pub fn load(&self) -> Load {
        let wall = self.began.elapsed().as_secs_f64().max(0.1);
        let (used, stolen) = machine_seconds();
        let tree: f64 = self.seen.lock().expect("not poisoned").values().sum();
        let own = tree + own_cpu() - self.self_cpu;
        Load {
            others: ((used - self.machine.0 - own) / wall).max(0.0),
            stolen: (stolen - self.machine.1) / wall,
            own: own / wall,
            late: self.sleeper.late(),
        }
    }

    /// Who of the tree, or with its mark, is alive.
    pub fn alive(&self) -> Vec<Process> {
        let mut left: Vec<Process> = self.seen.lock().expect("not poisoned").keys().copied().collect();
        left.extend(all().iter().map(|stat| stat.process).filter(|p| p.has_environment(&self.mark)));
        left.retain(Process::is_alive);
        left.sort_by_key(|process| process.pid);
        left.dedup();
        left
    }

    /// Waits until nobody is left; else their command lines.
    pub fn wait_gone(&self, deadline: Duration) -> Result<(), Vec<String>> {
        let until = Instant::now() + deadline;
        loop {
            let left = self.alive();
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() > until {
                let name = |p: &Process| format!("{} {:.120}", p.pid, p.command_line());
                return Err(left.iter().map(name).collect());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
        for process in self.alive() {
            process.kill();
        }
    }
}

fn note(root: i32, seen: &Mutex<HashMap<Process, f64>>) {
    let all = all();
    let mut seen = seen.lock().expect("not poisoned");
    let known: Vec<i32> = seen.keys().map(|process| process.pid).collect();
    let mut family: Vec<i32> = vec![root];
    family.extend(known);
    let mut i = 0;
    while i < family.len() {
        let parent = family[i];
        for stat in all.iter().filter(|stat| stat.parent == parent) {
            if !family.contains(&stat.process.pid) {
                family.push(stat.process.pid);
            }
        }
        i += 1;
    }
    for stat in all.iter().filter(|stat| family.contains(&stat.process.pid)) {
        let grown = seen.keys().any(|p| p.pid == stat.process.pid && *p != stat.process);
        // A number that was given anew belongs to us only if its parent does.
        if !grown || family.contains(&stat.parent) {
            seen.insert(stat.process, stat.cpu_seconds);
        }
    }
}

/// Seconds of processor time of this test program itself.
fn own_cpu() -> f64 {
    read_stat(std::process::id() as i32).map_or(0.0, |stat| stat.cpu_seconds)
}
