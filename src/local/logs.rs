//! Logs go to stderr, beside the progress and not through it.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::screen::Screen;

/// Begins to log what PANOREC_LOG says; panorec's own warnings by default. The crates it stands on
/// warn of what is expected here: of events that a newer Chrome has, of a daemon that has ended.
pub(super) fn init(screen: &Screen) {
    let said = std::env::var("PANOREC_LOG").ok().filter(|said| !said.is_empty());
    let filter = EnvFilter::new(said.as_deref().unwrap_or("panorec=warn"));
    // A second subscriber in one process (tests) is of no interest.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(screen.is_terminal())
        .with_writer(Beside(screen.clone()))
        .try_init();
}

#[derive(Clone)]
struct Beside(Screen);

impl<'a> MakeWriter<'a> for Beside {
    type Writer = Beside;

    fn make_writer(&'a self) -> Beside {
        self.clone()
    }
}

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.beside(|| io::stderr().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
