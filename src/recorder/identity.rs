//! Which user Chrome, X, Pulse and FFmpeg run as.
//!
//! Chrome refuses its sandbox as root, and two recordings must not be able to reach each other's
//! processes: started as root, each recording gets a user of its own.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;

use nix::unistd::Uid;

/// The range that systemd hands out to services without a user of their own
/// (systemd.exec, DynamicUser=); no account of a Debian system lies in it.
const DYNAMIC_USERS: std::ops::RangeInclusive<u32> = 61_184..=65_519;

/// The user of a recording's processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// The user that started panorec.
    Own,
    /// Started as root: an unprivileged user (and group of the same number) of this recording's.
    Dropped(u32),
}

impl Identity {
    /// Chooses a user that no process has now.
    pub fn choose() -> Self {
        if !Uid::effective().is_root() {
            return Self::Own;
        }
        let taken = users_with_processes();
        let count = DYNAMIC_USERS.end() - DYNAMIC_USERS.start() + 1;
        let first = std::process::id() % count;
        let free = (0..count).map(|i| DYNAMIC_USERS.start() + (first + i) % count).find(|uid| !taken.contains(uid));
        Self::Dropped(free.unwrap_or(*DYNAMIC_USERS.start()))
    }

    /// Whether this user may make user namespaces: not in a chroot, in many containers, or where
    /// the system forbids it.
    pub fn has_user_namespaces(self) -> bool {
        let mut command = std::process::Command::new("/bin/true");
        if let Self::Dropped(uid) = self {
            command.uid(uid).gid(uid);
        }
        // SAFETY: one system call between fork and exec.
        unsafe {
            command.pre_exec(|| Ok(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER)?));
        }
        command.status().is_ok()
    }

    /// Gives a file or folder to this user.
    pub fn own(self, path: &std::path::Path) -> std::io::Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Dropped(uid) => std::os::unix::fs::chown(path, Some(uid), Some(uid)),
        }
    }
}

/// Whether this user is one that recordings of ours run as.
pub fn is_ours(uid: u32) -> bool {
    let own = Uid::effective();
    if own.is_root() { DYNAMIC_USERS.contains(&uid) } else { uid == own.as_raw() }
}

fn users_with_processes() -> HashSet<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return HashSet::new();
    };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|meta| meta.uid()).collect()
}
