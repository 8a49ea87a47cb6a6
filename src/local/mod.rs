//! Both halves in one process, and the command line: record, resume, publish, ctl.
//! Called by main.rs; it alone knows recorder and publisher.
//! Never: keeps state of its own; what it knows of a recording it reads from the session folder.

mod cli;
mod complaint;
mod ctl;
mod halves;
mod keys;
mod logs;
mod output;
mod plan;
mod report;
mod screen;
mod session;
mod signals;
mod watch;

use clap::Parser;
use clap::error::ErrorKind;

use cli::{Cli, Command};
use complaint::Complaint;

use crate::session::exit::ExitCode;

/// Runs the command line of this process.
pub fn main() -> std::process::ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::Done,
                _ => ExitCode::Usage,
            }
            .into();
        }
    };
    let code = run(cli).unwrap_or_else(|complaint| {
        eprintln!("panorec: {complaint}");
        complaint.code
    });
    code.into()
}

fn run(cli: Cli) -> Result<ExitCode, Complaint> {
    if let Command::Completions { shell } = cli.command {
        cli::print_completions(shell);
        return Ok(ExitCode::Done);
    }
    let screen = screen::Screen::new();
    logs::init(&screen);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Complaint::internal(format!("cannot start its threads: {error}")))?;
    let code = runtime.block_on(async {
        match cli.command {
            Command::Record(args) => session::record(*args, &screen).await,
            Command::Resume(args) => session::resume(&args, &screen).await,
            Command::Publish(args) => session::publish(&args, &screen).await,
            Command::Ctl(args) => ctl::ctl(&args).await,
            Command::Completions { .. } => Ok(ExitCode::Done),
        }
    });
    // A thread that waits for a key or a disk must not keep the process.
    runtime.shutdown_background();
    code
}
