//! A memory limit around one recorder, by a control group of its own (version 1 or 2).

use std::fs;
use std::path::PathBuf;

/// Removed when dropped; everything in it must be gone by then.
pub struct MemoryLimit {
    group: PathBuf,
}

impl MemoryLimit {
    /// None where this user may make no control group, or memory is not among its controllers.
    pub fn new(bytes: u64) -> Option<MemoryLimit> {
        let name = format!("panorec-test-{}", std::process::id());
        let kinds = [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];
        kinds.iter().find_map(|(root, file)| {
            let group = PathBuf::from(root).join(&name);
            fs::create_dir(&group).ok()?;
            let made = MemoryLimit { group };
            fs::write(made.group.join(file), bytes.to_string()).ok()?;
            Some(made)
        })
    }

    /// What a process writes its own number to, to be under the limit with all its children.
    pub fn entrance(&self) -> PathBuf {
        self.group.join("cgroup.procs")
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        // The kernel takes a moment to see that the last process is gone.
        for _ in 0..50 {
            if fs::remove_dir(&self.group).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        println!("    {} could not be removed", self.group.display());
    }
}
