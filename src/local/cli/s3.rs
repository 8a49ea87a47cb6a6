//! The arguments of a bucket. Help texts; what they mean together is checked here, what is behind them is not.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use url::Url;

use crate::complaint::Complaint;
use crate::session::request::{Addressing, BucketName, Credentials, KeyPrefix, Link, S3Destination};

#[derive(Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "For -o s3://BUCKET/FOLDER/NAME.mp4")]
pub struct S3Args {
    /// The store's address, when it is not AWS in its region
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL_S3")]
    pub s3_endpoint: Option<Url>,
    /// The region, such as us-east-1 or ap-shanghai [default: what the AWS tools take]
    #[arg(long, value_name = "NAME")]
    pub s3_region: Option<String>,
    /// Where requests have the bucket [default: as the store of that address wants it]
    #[arg(long, value_name = "WHERE", value_enum)]
    pub s3_addressing: Option<AddressingArg>,
    /// JSON with accessKeyId and secretAccessKey [default: where the AWS tools look, the environment first]
    #[arg(long, value_name = "FILE")]
    pub s3_credentials: Option<PathBuf>,
    /// What people get the file by, for the URL in the result: a CDN before the bucket
    #[arg(long, value_name = "URL", conflicts_with = "s3_presign")]
    pub s3_domain: Option<Url>,
    /// Give a URL that anybody can read with for so long: seconds, or like 12h; at most 168h
    #[arg(long, value_name = "TIME", value_parser = presign)]
    pub s3_presign: Option<u32>,
    /// The store's storage class, such as STANDARD_IA
    #[arg(long, value_name = "NAME")]
    pub s3_storage_class: Option<String>,
    /// How long a store that fails is tried again, before the file waits for `panorec publish`
    #[arg(long, value_name = "TIME", value_parser = deadline)]
    pub s3_deadline: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AddressingArg {
    /// https://host/bucket/key
    Path,
    /// https://bucket.host/key
    VirtualHosted,
}

/// Two weeks of trying are enough.
const LONGEST_DEADLINE: u32 = 14 * 86_400;
const DEADLINE: u64 = 3_600;

impl S3Args {
    /// The destination in this bucket.
    pub(in crate::local) fn destination(
        self,
        bucket: BucketName,
        prefix: KeyPrefix,
    ) -> Result<S3Destination, Complaint> {
        for (flag, url) in [("--s3-endpoint", &self.s3_endpoint), ("--s3-domain", &self.s3_domain)] {
            if url.as_ref().is_some_and(|url| !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base()) {
                return Err(Complaint::usage(format!("{flag} must be an http or https URL")));
            }
        }
        let credentials = match self.s3_credentials {
            None => Credentials::Chain,
            Some(file) => {
                let absolute = std::path::absolute(&file);
                Credentials::File {
                    path: absolute.map_err(|error| Complaint::usage(format!("{}: {error}", file.display())))?,
                }
            }
        };
        let link = match (self.s3_domain, self.s3_presign) {
            (Some(address), _) => Link::Domain { address },
            (None, Some(seconds)) => Link::Presigned { seconds },
            (None, None) => Link::Store,
        };
        Ok(S3Destination {
            bucket,
            prefix,
            region: self.s3_region,
            endpoint: self.s3_endpoint,
            addressing: match self.s3_addressing {
                None => Addressing::Auto,
                Some(AddressingArg::Path) => Addressing::Path,
                Some(AddressingArg::VirtualHosted) => Addressing::VirtualHosted,
            },
            link,
            credentials,
            storage_class: self.s3_storage_class,
            deadline_seconds: self.s3_deadline.unwrap_or(DEADLINE),
        })
    }

    /// The first of these that was given; an environment variable is none.
    pub(in crate::local) fn given(&self) -> Option<&'static str> {
        [
            ("--s3-region", self.s3_region.is_some()),
            ("--s3-addressing", self.s3_addressing.is_some()),
            ("--s3-credentials", self.s3_credentials.is_some()),
            ("--s3-domain", self.s3_domain.is_some()),
            ("--s3-presign", self.s3_presign.is_some()),
            ("--s3-storage-class", self.s3_storage_class.is_some()),
            ("--s3-deadline", self.s3_deadline.is_some()),
        ]
        .into_iter()
        .find_map(|(flag, given)| given.then_some(flag))
    }
}

/// As SigV4 has it.
const LONGEST_PRESIGNED: u32 = 7 * 86_400;

fn presign(text: &str) -> Result<u32, String> {
    let seconds = super::record::whole_seconds(text).filter(|seconds| (1..=LONGEST_PRESIGNED).contains(seconds));
    seconds.ok_or_else(|| "it must be 1 s to 168h".to_owned())
}

fn deadline(text: &str) -> Result<u64, String> {
    let seconds = super::record::whole_seconds(text).filter(|seconds| (1..=LONGEST_DEADLINE).contains(seconds));
    seconds.map(u64::from).ok_or_else(|| "it must be 1 s to 336h".to_owned())
}
