//! What can be said to `panorec action`. Help texts; no logic.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use url::Url;

use super::start::StartArgs;
use super::times::{duration, moment};
use crate::gateway::Prefix;
use crate::gateway::auth::{Algorithm, UnknownAlgorithm};
use crate::session::fold::Phase;

#[derive(Debug, Args)]
#[command(after_help = "\
The answer's JSON goes to stdout. An answer that says no is a sentence on stderr: exit code 2 for
what was asked wrongly (InvalidParam, InvalidStatus, a key, a URL), 1 for anything else.

PANOREC_KEY_SECRET is the secret of --key-id where there is no --key-file. docs/action-api.md tells
the API; docs/samples has the same in bash, Python, Node and Go.

Examples:
  panorec action start https://example.com/lesson --callback-url https://example.com/done
  panorec action describe 7a0313e2-9a42-4f5b-a3b0-1d5d0a1a2b3c --wait finished
  panorec action list --status running
  panorec action --url https://gateway.example/release --key-id school --key-file secret list")]
pub struct ActionArgs {
    #[command(flatten)]
    pub(super) gateway: GatewayArgs,
    #[command(subcommand)]
    pub(super) action: Action,
}

/// Whom to ask, and as whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Gateway")]
pub struct GatewayArgs {
    /// The gateway's base URL, without /record
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "PANOREC_ACTION_URL",
        default_value = "http://127.0.0.1:8080"
    )]
    pub(super) url: Url,
    /// The key to sign with; without it nothing is signed
    #[arg(long, global = true, value_name = "ID", env = "PANOREC_KEY_ID")]
    pub(super) key_id: Option<String>,
    /// The file with its secret [default: PANOREC_KEY_SECRET is the secret itself]
    #[arg(long, global = true, value_name = "FILE", env = "PANOREC_KEY_FILE")]
    pub(super) key_file: Option<PathBuf>,
    /// What to sign with
    #[arg(long, global = true, value_name = "NAME", default_value = "hmac-sha256", value_parser = algorithms())]
    pub(super) algorithm: Algorithm,
    /// What stands between the base URL and /record, such as /release; it is not signed
    #[arg(long, global = true, value_name = "PATH", env = "PANOREC_PATH_PREFIX", default_value = "")]
    pub(super) path_prefix: Prefix,
    /// How long a gateway is tried again that cannot be reached, answers 5xx or says 429
    #[arg(long, global = true, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(super) deadline: Duration,
}

/// An action of the API.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Start a recording
    Start(Box<StartArgs>),
    /// Pause a recording
    Pause(TaskArgs),
    /// Go on with a paused recording
    Resume(TaskArgs),
    /// Reload the page; the recording goes on
    Refresh(TaskArgs),
    /// Stop a recording, and finish its video
    Stop(TaskArgs),
    /// Tell where a recording stands, and what came of it
    Describe(DescribeArgs),
    /// Tell the same, and what was asked for
    Detail(TaskArgs),
    /// List recordings, newest first
    List(ListArgs),
    /// Send a request as it is written
    #[command(after_help = "\
Examples:
  panorec action raw '{\"Action\": \"List\", \"Data\": {\"Status\": \"running\"}}'
  panorec action raw - < request.json")]
    Raw {
        /// The request's body, or - for what standard input says
        #[arg(value_name = "JSON")]
        json: String,
    },
}

/// A recording.
#[derive(Debug, Args)]
pub struct TaskArgs {
    /// The TaskID that Start gave
    #[arg(value_name = "TASK")]
    pub(super) task: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
With --wait the statuses are told on stderr as they come, the last answer goes to stdout. A task
that is beyond that status has been waited for enough. Once it is finished, the exit code is 4 where
nothing was recorded and 1 where the result has an error; a callback that failed is none.

Examples:
  panorec action describe 7a0313e2-9a42-4f5b-a3b0-1d5d0a1a2b3c
  panorec action describe 7a0313e2-9a42-4f5b-a3b0-1d5d0a1a2b3c --wait finished --within 8h")]
pub struct DescribeArgs {
    /// The TaskID that Start gave
    #[arg(value_name = "TASK")]
    pub(super) task: String,
    /// Ask each second until it has this status, or is beyond it
    #[arg(long, value_name = "STATUS", value_parser = statuses())]
    pub(super) wait: Option<Phase>,
    /// How long to wait at most
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration, requires = "wait")]
    pub(super) within: Duration,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  panorec action list --status running
  panorec action list --from 2026-03-01 --to '2026-03-01 12:00:00'
  panorec action list --from 2026-03-01T00:00:00+08:00")]
pub struct ListArgs {
    /// Which recordings; running are all that are not finished
    #[arg(long, value_name = "STATUS", default_value = "all", value_parser = ["all", "running", "finished"])]
    status: String,
    /// Created then or later; of UTC unless it says another zone
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<String>,
    /// Created then or before
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to: Option<String>,
}

impl ListArgs {
    pub(super) fn data(&self) -> Value {
        json!({ "Status": self.status, "StartTime": self.from, "EndTime": self.to })
    }
}

fn algorithms() -> impl TypedValueParser<Value = Algorithm> {
    PossibleValuesParser::new(Algorithm::ALL.map(Algorithm::as_str))
        .try_map(|name| name.parse::<Algorithm>().map_err(|error: UnknownAlgorithm| error))
}

fn statuses() -> impl TypedValueParser<Value = Phase> {
    PossibleValuesParser::new(Phase::ALL.map(Phase::as_str))
        .try_map(|word| Phase::ALL.into_iter().find(|phase| phase.as_str() == word).ok_or("there is no such status"))
}
