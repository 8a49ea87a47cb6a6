//! The command line: which command runs, and how it ends.
//! Called by main.rs; each room brings its own arguments.
//! Never: does anything itself.

use std::io::Write;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::client::{self, ActionArgs};
use crate::complaint::Complaint;
use crate::gateway::{self, GatewayArgs};
use crate::janitor::{self, JanitorArgs};
use crate::local::{self, LocalCommand};
use crate::operator::{self, OperatorArgs};
use crate::pod::{self, PodCommand};
use crate::resource;
use crate::session::exit::ExitCode;

/// Records what a web page shows and plays into one video.
#[derive(Debug, Parser)]
#[command(name = "panorec", version, max_term_width = 100, after_help = ABOUT_EXIT)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const ABOUT_EXIT: &str = "\
Exit codes: 0 done, 1 internal error, 2 bad usage, 3 the page could not be loaded, 4 nothing
recorded, 5 finishing failed, 6 delivery failed, 7 no usable sandbox for Chrome, 8 interrupted and
resumable, 9 no start signal in time.

PANOREC_LOG says what to log to stderr, for example PANOREC_LOG=info or panorec::recorder=debug.";

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Local(LocalCommand),
    /// Ask a gateway to record, and how it stands: a client of the Action API
    Action(Box<ActionArgs>),
    /// Print the definition of the Recording resource for Kubernetes, as YAML
    #[command(after_help = "\
Example:
  panorec crd | kubectl apply --server-side -f -")]
    Crd,
    /// Print the description of the HTTP API, as OpenAPI 3.1 in JSON
    Openapi,
    /// Make recordings of a Kubernetes cluster: one Job for each Recording
    Operator(Box<OperatorArgs>),
    /// Answer the Action API with recordings of a Kubernetes cluster
    Gateway(Box<GatewayArgs>),
    #[command(flatten)]
    Pod(PodCommand),
    /// Remove from a volume claim the session folders that nothing needs any more
    Janitor(JanitorArgs),
    /// Print a completion script for a shell
    #[command(after_help = "\
Example:
  panorec completions bash > ~/.local/share/bash-completion/completions/panorec")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

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
    // The one that is built in; a second call (tests) is of no interest.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let code = run(cli.command).unwrap_or_else(|complaint| {
        eprintln!("panorec: {complaint}");
        complaint.code
    });
    code.into()
}

fn run(command: Command) -> Result<ExitCode, Complaint> {
    match command {
        Command::Local(command) => on_threads(local::run(command)),
        Command::Action(args) => on_threads(client::action(*args)),
        Command::Crd => {
            let yaml = resource::yaml().map_err(Complaint::internal)?;
            std::io::stdout().write_all(yaml.as_bytes()).map_err(Complaint::internal)?;
            Ok(ExitCode::Done)
        }
        Command::Openapi => {
            let json = gateway::openapi::json().map_err(Complaint::internal)?;
            std::io::stdout().write_all(json.as_bytes()).map_err(Complaint::internal)?;
            Ok(ExitCode::Done)
        }
        Command::Operator(args) => on_threads(operator::operator(*args)),
        Command::Gateway(args) => on_threads(gateway::gateway(*args)),
        Command::Pod(command) => match pod::init::take_over()? {
            Some(code) => Ok(code),
            None => on_threads(pod::run(command)),
        },
        Command::Janitor(args) => on_threads(janitor::janitor(args)),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "panorec", &mut std::io::stdout());
            Ok(ExitCode::Done)
        }
    }
}

fn on_threads(work: impl Future<Output = Result<ExitCode, Complaint>>) -> Result<ExitCode, Complaint> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Complaint::internal(format!("cannot start its threads: {error}")))?;
    let code = runtime.block_on(work);
    // A thread that waits for a key or a disk must not keep the process.
    runtime.shutdown_background();
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
