//! The arguments of `panorec serve`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use url::Url;

use super::{S3Args, VodArgs};
use crate::egress::EgressArgs;
use crate::gateway::ListenArgs;

#[derive(Debug, Args)]
#[command(after_help = "\
Clients start, pause and stop recordings by POST /record. Each recording has its session in DIR/<TaskID>,
with whatever is secret of it; `panorec ctl DIR/<TaskID> …` works on it, too. Whatever ends this process, the
next one on the same folder goes on: recordings resume, files are finished, who waits keeps its place.
With StorageType cos the pieces lie in DIR as well.

Examples:
  panorec serve
  panorec serve --listen 0.0.0.0:8080 --keys keys.json --public-url https://record.example.com --keep 168h
  panorec serve --keys keys.json --egress-allow 10.20.0.0/16,.school.example
  panorec serve --s3-credentials cos.json --vod-credentials vod.json")]
pub struct ServeArgs {
    #[command(flatten)]
    pub listen: ListenArgs,
    /// The folder of the sessions [default: serve in the user's state folder]
    #[arg(long, value_name = "DIR", env = "PANOREC_DATA")]
    pub data: Option<PathBuf>,
    /// What the URLs of files that are served here begin with; it may end with the path prefix [default: the address it
    /// listens at]
    #[arg(long, value_name = "URL", env = "PANOREC_PUBLIC_URL")]
    pub public_url: Option<Url>,
    /// How many are recorded at the same time; more wait for their turn [default: one a processor core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub max_recordings: Option<u32>,
    /// Remove a recording with its files so long after it finished [default: never]
    #[arg(long, value_name = "TIME", value_parser = keep)]
    pub keep: Option<Duration>,
    /// Record even where Chrome's sandbox cannot be had; the results say so
    #[arg(long)]
    pub allow_no_sandbox: bool,

    #[command(flatten, next_help_heading = "With --keys, recordings reach public addresses only")]
    pub egress: EgressArgs,
    #[command(
        flatten,
        next_help_heading = "For Output.Cos with a Bucket: Tencent COS in its Region, or --s3-endpoint"
    )]
    pub s3: S3Args,
    #[command(flatten, next_help_heading = "For Output.Vod, which needs --vod-credentials")]
    pub vod: VodArgs,
}

fn keep(text: &str) -> Result<Duration, String> {
    let seconds = super::record::whole_seconds(text).filter(|seconds| *seconds > 0);
    seconds.map(|seconds| Duration::from_secs(seconds.into())).ok_or_else(|| "it must be a time like 24h".to_owned())
}
