//! Figures of a recording against what they must be, each printed; one repeat after a miss on a busy machine.

use std::fmt::Display;
use std::time::Duration;

use serde_json::Value;

use super::load::Load;

/// How much longer than its figure a wait on the wall clock may take before it fails.
pub const PATIENCE: u32 = 5;

/// Collects what was missed, so that one run shows all its figures.
#[derive(Default)]
pub struct Checks {
    missed: Vec<String>,
    load: Load,
}

impl Checks {
    pub fn that(&mut self, name: &str, holds: bool, evidence: impl Display) {
        println!("    {} {name}: {evidence}", if holds { "ok  " } else { "MISS" });
        if !holds {
            self.missed.push(format!("{name}: {evidence}"));
        }
    }

    /// `value` as found in a report; a figure that is not there is a miss.
    pub fn at_least(&mut self, name: &str, value: &Value, least: f64) {
        let holds = value.as_f64().is_some_and(|value| value >= least);
        self.that(name, holds, format!("{value} (at least {least})"));
    }

    pub fn at_most(&mut self, name: &str, value: &Value, most: f64) {
        let holds = value.as_f64().is_some_and(|value| value <= most);
        self.that(name, holds, format!("{value} (at most {most})"));
    }

    pub fn near(&mut self, name: &str, value: &Value, wanted: f64, by: f64) {
        let holds = value.as_f64().is_some_and(|value| (value - wanted).abs() <= by);
        self.that(name, holds, format!("{value} ({wanted:.3} ± {by})"));
    }

    /// A time on the wall clock: its figure is printed, five times as much is a miss.
    pub fn soon(&mut self, name: &str, took: Duration, figure: Duration) {
        let evidence = format!("{:.2} s (figure {:.1} s)", took.as_secs_f64(), figure.as_secs_f64());
        self.that(name, took <= figure * PATIENCE, evidence);
    }

    pub fn loaded(&mut self, load: &Load) {
        self.load = self.load.worst(load);
    }

    /// The end of a test that is not repeated.
    pub fn done(self) {
        assert!(self.missed.is_empty(), "missed:\n  {}", self.missed.join("\n  "));
    }
}

/// Runs an attempt, and once more when it missed while the machine was busy or stood still.
pub fn judged(attempt: impl Fn(&mut Checks)) {
    let mut checks = Checks::default();
    attempt(&mut checks);
    println!("    {}", checks.load);
    if !checks.missed.is_empty() && checks.load.is_starved() {
        println!("    again: the machine was not ours");
        checks = Checks::default();
        attempt(&mut checks);
    }
    checks.done();
}
