//! Both halves in one process: record, resume, publish, ctl, discard, serve.
//! Called by cli; it knows recorder and publisher.
//! Never: keeps state of its own; what it knows of a recording it reads from the session folder.

mod cli;
mod ctl;
mod discard;
mod halves;
mod keys;
mod logs;
mod output;
mod plan;
mod report;
mod screen;
mod serve;
mod session;
mod signals;
mod work;

use clap::Subcommand;

pub(crate) use plan::state_folder;

pub use cli::{CtlArgs, DiscardArgs, PublishArgs, RecordArgs, ResumeArgs, ServeArgs};

use crate::complaint::Complaint;
use crate::session::exit::ExitCode;

/// What can be done on this machine.
#[derive(Debug, Subcommand)]
pub enum LocalCommand {
    /// Record a page, and finish the file when the recording stops
    Record(Box<RecordArgs>),
    /// Go on with an interrupted recording, or finish one that was stopped
    Resume(ResumeArgs),
    /// Pause, resume, reload or stop a recording from elsewhere
    Ctl(CtlArgs),
    /// Make and deliver the file of a session once more, without recording
    Publish(PublishArgs),
    /// Remove a session, and what of it a store has that was not finished
    Discard(DiscardArgs),
    /// Record what clients of the Action API ask for, and serve the files
    Serve(Box<ServeArgs>),
}

/// Runs the command to its end.
pub(crate) async fn run(command: LocalCommand) -> Result<ExitCode, Complaint> {
    let screen = screen::Screen::new();
    logs::init(&screen);
    match command {
        LocalCommand::Record(args) => session::record(*args, &screen).await,
        LocalCommand::Resume(args) => session::resume(&args, &screen).await,
        LocalCommand::Publish(args) => session::publish(&args, &screen).await,
        LocalCommand::Ctl(args) => ctl::ctl(&args).await,
        LocalCommand::Discard(args) => discard::discard(&args).await,
        LocalCommand::Serve(args) => serve::serve(*args, &screen).await,
    }
}
