//! Who had the processor while a recording ran.

use std::fmt;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Processor time that was not to be had, in cores.
#[derive(Debug, Default, Clone, Copy)]
pub struct Load {
    /// Used by processes that are not ours.
    pub others: f64,
    /// Taken by the host of this virtual machine.
    pub stolen: f64,
    /// Used by the recorder and its children.
    pub own: f64,
    /// How late, in seconds, a thread that slept woke up at worst: the machine stood still.
    pub late: f64,
}

impl Load {
    /// From here on a 30 fps recording may lose frames through no fault of its own, on two cores; and Chrome has played
    /// no more ahead than 32 ms of sound (two buffers at the Pulse daemon and its sink's, as `pactl list` tells), so a
    /// machine that stood still for longer has made a hole in it.
    pub fn is_starved(&self) -> bool {
        self.others > 0.5 || self.stolen > 0.1 || self.late > 0.03
    }

    pub fn worst(&self, other: &Load) -> Load {
        Load {
            others: self.others.max(other.others),
            stolen: self.stolen.max(other.stolen),
            own: self.own.max(other.own),
            late: self.late.max(other.late),
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Load { others, stolen, own, late } = self;
        write!(f, "own {own:.2}, others {others:.2}, stolen {stolen:.2} cores, woken {:.0} ms late", late * 1000.0)
    }
}

/// Totals of the machine in seconds of processor time: used, stolen.
pub fn machine_seconds() -> (f64, f64) {
    let stat = fs::read_to_string("/proc/stat").expect("/proc/stat");
    let first = stat.lines().next().expect("the line of all processors");
    let ticks: Vec<f64> = first.split_whitespace().skip(1).map(|n| n.parse().unwrap_or(0.0)).collect();
    let second = 100.0; // USER_HZ, fixed in the kernel's interface
    // user nice system idle iowait irq softirq steal
    let used: f64 = [0, 1, 2, 5, 6].iter().map(|&i| ticks[i]).sum();
    (used / second, ticks[7] / second)
}

/// A thread that sleeps and looks how late it wakes.
pub struct Sleeper {
    stop: Arc<AtomicBool>,
    /// At worst so far, in microseconds.
    late: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Sleeper {
    pub fn start() -> Sleeper {
        const NAP: Duration = Duration::from_millis(10);
        let (stop, late) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let thread = std::thread::spawn({
            let (stop, late) = (stop.clone(), late.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    std::thread::sleep(NAP);
                    late.fetch_max((began.elapsed() - NAP).as_micros() as u64, Ordering::Relaxed);
                }
            }
        });
        Sleeper { stop, late, thread: Some(thread) }
    }

    /// In seconds.
    pub fn late(&self) -> f64 {
        self.late.load(Ordering::Relaxed) as f64 / 1e6
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
