//! The arguments of a bucket. Help texts; what they mean together is checked here, what is behind them is not.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use url::Url;

use crate::complaint::Complaint;
use crate::local::output::Scheme;
use crate::session::request::{
    Addressing, BucketName, Credentials, Encryption, KeyPrefix, Link, Metadata, RegionName, S3Destination, Signature,
    Tags,
};

#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct S3Args {
    /// The store's address, when it is not AWS in its region
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL_S3")]
    pub s3_endpoint: Option<Url>,
    /// The region, such as us-east-1 or ap-shanghai [default: what the AWS tools take; cos:// needs it]
    #[arg(long, value_name = "NAME")]
    pub s3_region: Option<RegionName>,
    /// Where requests have the bucket [default: as the store of that address wants it]
    #[arg(long, value_name = "WHERE", value_enum)]
    pub s3_addressing: Option<AddressingArg>,
    /// How requests are signed [default: sigv4]
    #[arg(long, value_name = "HOW", value_enum)]
    pub s3_signature: Option<SignatureArg>,
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
    /// What the store keeps with each file and gives with it, as a header; may be repeated
    #[arg(long, value_name = "NAME=TEXT", value_parser = pair)]
    pub s3_metadata: Vec<(String, String)>,
    /// A tag of each file, for the store's rules and bills; may be repeated
    #[arg(long, value_name = "NAME=TEXT", value_parser = pair)]
    pub s3_tag: Vec<(String, String)>,
    /// How the store encrypts: AES256, aws:kms or aws:kms:KEY [default: as the bucket has it]
    #[arg(long, value_name = "HOW")]
    pub s3_encryption: Option<Encryption>,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SignatureArg {
    /// As AWS has it; all stores know it
    #[value(name = "sigv4")]
    SigV4,
    /// As Tencent COS has it, where a store of Tencent's refuses the other one
    Cos,
}

/// Two weeks of trying are enough.
const LONGEST_DEADLINE: u32 = 14 * 86_400;

impl S3Args {
    /// The destination in this bucket.
    pub(in crate::local) fn destination(
        self,
        scheme: Scheme,
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
        let mut destination = match scheme {
            Scheme::S3 => S3Destination {
                region: self.s3_region,
                endpoint: self.s3_endpoint,
                ..S3Destination::new(bucket, credentials)
            },
            Scheme::Cos => in_cos(bucket, self.s3_region, self.s3_endpoint, credentials)?,
        };
        destination.prefix = prefix;
        destination.link = match (self.s3_domain, self.s3_presign) {
            (Some(address), _) => Link::Domain { address },
            (None, Some(seconds)) => Link::Presigned { seconds },
            (None, None) => Link::Store,
        };
        match self.s3_addressing {
            None => {}
            Some(AddressingArg::Path) => destination.addressing = Addressing::Path,
            Some(AddressingArg::VirtualHosted) => destination.addressing = Addressing::VirtualHosted,
        }
        destination.signature = match self.s3_signature {
            None | Some(SignatureArg::SigV4) => Signature::SigV4,
            Some(SignatureArg::Cos) => Signature::Cos,
        };
        destination.storage_class = self.s3_storage_class;
        let metadata = by_name("--s3-metadata", self.s3_metadata)?;
        destination.metadata = Metadata::try_from(metadata).map_err(Complaint::usage)?;
        let tags = by_name("--s3-tag", self.s3_tag)?;
        destination.tags = Tags::try_from(tags).map_err(Complaint::usage)?;
        destination.encryption = self.s3_encryption;
        if let Some(seconds) = self.s3_deadline {
            destination.deadline_seconds = seconds;
        }
        Ok(destination)
    }

    /// The first of these that was given; an environment variable is none.
    pub(in crate::local) fn given(&self) -> Option<&'static str> {
        [
            ("--s3-region", self.s3_region.is_some()),
            ("--s3-addressing", self.s3_addressing.is_some()),
            ("--s3-signature", self.s3_signature.is_some()),
            ("--s3-credentials", self.s3_credentials.is_some()),
            ("--s3-domain", self.s3_domain.is_some()),
            ("--s3-presign", self.s3_presign.is_some()),
            ("--s3-storage-class", self.s3_storage_class.is_some()),
            ("--s3-metadata", !self.s3_metadata.is_empty()),
            ("--s3-tag", !self.s3_tag.is_empty()),
            ("--s3-encryption", self.s3_encryption.is_some()),
            ("--s3-deadline", self.s3_deadline.is_some()),
        ]
        .into_iter()
        .find_map(|(flag, given)| given.then_some(flag))
    }
}

/// `cos://` says which store it is; an address beside it would be another one.
fn in_cos(
    bucket: BucketName,
    region: Option<RegionName>,
    endpoint: Option<Url>,
    credentials: Credentials,
) -> Result<S3Destination, Complaint> {
    if endpoint.is_some() {
        return Err(Complaint::usage(
            "cos:// is the store of its region; leave --s3-endpoint and AWS_ENDPOINT_URL_S3 out, or give -o s3://",
        ));
    }
    let region =
        region.ok_or_else(|| Complaint::usage("cos:// needs its region; add it, as in --s3-region ap-shanghai"))?;
    S3Destination::cos(bucket, region, credentials).map_err(Complaint::usage)
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it must be NAME=TEXT")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn by_name(flag: &str, pairs: Vec<(String, String)>) -> Result<BTreeMap<String, String>, Complaint> {
    let mut all = BTreeMap::new();
    for (name, value) in pairs {
        if let Some(before) = all.insert(name.clone(), value) {
            return Err(Complaint::usage(format!("{flag} has {name} twice ({before:?} before); leave one out")));
        }
    }
    Ok(all)
}

/// As SigV4 has it.
const LONGEST_PRESIGNED: u32 = 7 * 86_400;

fn presign(text: &str) -> Result<u32, String> {
    let seconds = super::record::whole_seconds(text).filter(|seconds| (1..=LONGEST_PRESIGNED).contains(seconds));
    seconds.ok_or_else(|| "it must be 1 s to 168h".to_owned())
}

pub(super) fn deadline(text: &str) -> Result<u64, String> {
    let seconds = super::record::whole_seconds(text).filter(|seconds| (1..=LONGEST_DEADLINE).contains(seconds));
    seconds.map(u64::from).ok_or_else(|| "it must be 1 s to 336h".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        s3: S3Args,
    }

    fn destination(scheme: Scheme, bucket: &str, line: &[&str]) -> Result<S3Destination, String> {
        let line = Line::try_parse_from([&["panorec"], line].concat()).map_err(|error| error.to_string())?;
        let bucket = bucket.parse::<BucketName>().map_err(|error| error.to_string())?;
        line.s3.destination(scheme, bucket, KeyPrefix::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn cos_is_found_by_its_region() {
        let cos = destination(Scheme::Cos, "lessons-1250000000", &["--s3-region", "ap-shanghai"]).unwrap();
        assert_eq!(cos.endpoint.as_ref().unwrap().as_str(), "https://cos.ap-shanghai.myqcloud.com/");
        assert!(!cos.is_path_style());
        assert_eq!(cos.signature, Signature::SigV4);
        for (bucket, line, says) in [
            ("lessons-1250000000", &[][..], "--s3-region"),
            ("lessons", &["--s3-region", "ap-shanghai"], "APPID"),
            ("lessons-1250000000", &["--s3-region", "ap-shanghai.example.com"], "is not a region"),
            ("lessons-1250000000", &["--s3-region", "a", "--s3-endpoint", "http://127.0.0.1:1"], "AWS_ENDPOINT_URL_S3"),
        ] {
            let said = destination(Scheme::Cos, bucket, line).unwrap_err();
            assert!(said.contains(says), "{said}");
        }
    }

    #[test]
    fn what_is_said_of_the_files_is_checked() {
        let line =
            ["--s3-metadata", "lesson=a=b", "--s3-tag", "Year=2026", "--s3-tag", "Class=7b", "--s3-signature", "cos"];
        let full = destination(Scheme::S3, "lessons", &line).unwrap();
        assert_eq!(full.metadata.iter().collect::<Vec<_>>(), [("lesson", "a=b")]);
        assert_eq!(full.tags.iter().collect::<Vec<_>>(), [("Class", "7b"), ("Year", "2026")]);
        assert_eq!(full.signature, Signature::Cos);
        for (line, says) in [
            (["--s3-metadata", "lesson"], "NAME=TEXT"),
            (["--s3-metadata", "Lesson=1"], "not a name of metadata"),
            (["--s3-tag", "a=b&c"], "not a tag"),
            (["--s3-encryption", "DES"], "AES256"),
            (["--s3-signature", "v2"], "sigv4"),
        ] {
            let said = destination(Scheme::S3, "lessons", &line).unwrap_err();
            assert!(said.contains(says), "{said}");
        }
        let twice = destination(Scheme::S3, "lessons", &["--s3-tag", "a=1", "--s3-tag", "a=2"]).unwrap_err();
        assert!(twice.contains("twice"), "{twice}");
    }
}
