//! What a person sees on stderr: a line that moves on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::recorder::control::Live;

/// How often a line is printed where nothing can move.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Standard error. Clones share it.
#[derive(Clone)]
pub(super) struct Screen {
    bars: MultiProgress,
    is_terminal: bool,
}

impl Screen {
    pub(super) fn new() -> Screen {
        let is_terminal = std::io::stderr().is_terminal();
        let target = if is_terminal { ProgressDrawTarget::stderr_with_hz(5) } else { ProgressDrawTarget::hidden() };
        Screen { bars: MultiProgress::with_draw_target(target), is_terminal }
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Prints a line.
    pub(super) fn say(&self, line: impl std::fmt::Display) {
        // A terminal that is gone is no reason to end.
        self.beside(|| drop(writeln!(std::io::stderr(), "{line}")));
    }

    /// Writes to stderr while the moving line is out of the way.
    pub(super) fn beside<R>(&self, write: impl FnOnce() -> R) -> R {
        self.bars.suspend(write)
    }

    /// A line that shows how something goes; it disappears when dropped.
    pub(super) fn progress(&self) -> Line {
        let bar = self.bars.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
            bar.set_style(style);
        }
        Line { screen: self.clone(), bar, printed: None }
    }
}

/// A line that shows how something goes.
pub(super) struct Line {
    screen: Screen,
    bar: ProgressBar,
    printed: Option<Instant>,
}

impl Line {
    pub(super) fn show(&mut self, text: impl FnOnce() -> String) {
        if self.screen.is_terminal {
            self.bar.set_message(text());
            self.bar.tick();
        } else if self.printed.is_none_or(|printed| printed.elapsed() >= LINE_EVERY) {
            self.printed = Some(Instant::now());
            self.screen.say(text());
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.screen.bars.remove(&self.bar);
    }
}

/// How a recording goes, in one line.
pub(super) fn live_text(live: &Live) -> String {
    format!(
        "{:<9}  {}  {:>10}  {:>4.1} fps  {} dropped  {:.2} cores",
        live.phase.as_str(),
        clock(live.elapsed_us),
        HumanBytes(live.bytes).to_string(),
        live.fps,
        live.dropped,
        live.cores,
    )
}

/// Microseconds as h:mm:ss.
pub(super) fn clock(us: u64) -> String {
    let seconds = us / 1_000_000;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Bytes as a person reads them.
pub(super) fn size(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::fold::Phase;

    #[test]
    fn a_line_tells_state_time_size_speed_drops_and_cost() {
        let live = Live {
            phase: Phase::Recording,
            elapsed_us: 3_725_400_000,
            recorded_us: 3_700_000_000,
            bytes: 5 << 20,
            fps: 29.97,
            dropped: 2,
            cores: 0.484,
        };
        assert_eq!(live_text(&live), "recording  1:02:05    5.00 MiB  30.0 fps  2 dropped  0.48 cores");
    }
}
