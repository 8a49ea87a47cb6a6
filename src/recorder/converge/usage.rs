//! What a recording costs and gives, over the last seconds.

use std::time::{Duration, Instant};

use crate::recorder::processes::processes;

/// How often it is measured; a look at all processes costs a millisecond or two.
const EVERY: Duration = Duration::from_secs(2);

/// Remembers the last measurement.
pub(super) struct Usage {
    at: Instant,
    ticks: u64,
    cores: f64,
    pictures: (Instant, u64),
    fps: f64,
}

impl Usage {
    pub fn new() -> Self {
        let now = Instant::now();
        Self { at: now, ticks: 0, cores: 0.0, pictures: (now, 0), fps: 0.0 }
    }

    /// Cores kept busy by the processes of these sessions and ourselves.
    pub fn cores(&mut self, sessions: &[i32]) -> f64 {
        let passed = self.at.elapsed();
        if passed >= EVERY {
            let ticks = ticks_of(sessions);
            let spent = ticks.saturating_sub(self.ticks) as f64 / ticks_per_second();
            self.cores = if self.ticks == 0 { 0.0 } else { spent / passed.as_secs_f64() };
            (self.at, self.ticks) = (Instant::now(), ticks);
        }
        self.cores
    }

    /// Pictures a second, from their total.
    pub fn fps(&mut self, pictures: u64) -> f64 {
        let (at, before) = self.pictures;
        if at.elapsed() >= EVERY {
            self.fps = pictures.saturating_sub(before) as f64 / at.elapsed().as_secs_f64();
            self.pictures = (Instant::now(), pictures);
        }
        self.fps
    }
}

fn ticks_per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

/// What all processes in the sessions and this one have used, in clock ticks.
fn ticks_of(sessions: &[i32]) -> u64 {
    let own = std::process::id() as i32;
    let counted = processes().filter(|process| process.pid == own || sessions.contains(&process.session));
    counted.map(|process| process.ticks).sum()
}
