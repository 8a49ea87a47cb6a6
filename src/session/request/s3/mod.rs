//! A place in an object store with the S3 interface, and what is said of the objects there.

mod names;
mod object;

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

pub use names::{BadS3, BucketName, KeyPrefix, KmsKeyId, RegionName};
pub use object::{Encryption, Metadata, Tags};

/// Hosts of stores that take the bucket in the host name only, and of AWS, which wants it there.
const VIRTUAL_HOSTED: [&str; 4] = ["amazonaws.com", "amazonaws.com.cn", "myqcloud.com", "aliyuncs.com"];
/// The region of stores that have none.
const NO_REGION: &str = "us-east-1";

/// Where in which store the files go. No secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct S3Destination {
    pub bucket: BucketName,
    /// Keys begin with it and a '/'; empty: they do not.
    #[serde(default, skip_serializing_if = "KeyPrefix::is_empty")]
    pub prefix: KeyPrefix,
    /// None: the store has none, or [`Credentials::Chain`] finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<RegionName>,
    /// The store's address; None: that of AWS in its region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Url>,
    #[serde(default)]
    pub addressing: Addressing,
    #[serde(default, skip_serializing_if = "Signature::is_sig_v4")]
    pub signature: Signature,
    /// How the URL in the result is made.
    #[serde(default)]
    pub link: Link,
    pub credentials: Credentials,
    /// The store's word, such as `STANDARD_IA`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// None: as the bucket has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// Transient failures are tried again for so long, in seconds.
    #[serde(default = "default_deadline")]
    pub deadline_seconds: u64,
}

fn default_deadline() -> u64 {
    3_600
}

/// Where the bucket stands in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Addressing {
    /// As the store of that host wants it.
    #[default]
    Auto,
    /// `https://host/bucket/key`
    Path,
    /// `https://bucket.host/key`
    VirtualHosted,
}

/// How requests are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Signature {
    /// As AWS has it; all stores know it.
    #[default]
    SigV4,
    /// As Tencent COS has it, for its stores where they refuse the other one.
    /// <https://www.tencentcloud.com/document/product/436/7778>
    Cos,
}

impl Signature {
    fn is_sig_v4(&self) -> bool {
        *self == Signature::SigV4
    }
}

/// How the URL in the result is made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Link {
    /// The store's own; it works where the bucket is public.
    #[default]
    Store,
    /// `<address>/<key>`, such as a CDN before the bucket.
    Domain { address: Url },
    /// One that anybody may read with, for so many seconds (at most 604800, as SigV4 has it).
    Presigned { seconds: u32 },
}

/// Where the credentials are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Credentials {
    /// A JSON file: `accessKeyId`, `secretAccessKey` and perhaps `sessionToken`. An absolute path.
    File { path: PathBuf },
    /// Where the AWS tools look: the environment, the profile, a web identity, the instance's role.
    Chain,
}

impl S3Destination {
    /// A bucket of AWS in the region that the credentials' place tells, and everything else as it is by itself.
    pub fn new(bucket: BucketName, credentials: Credentials) -> S3Destination {
        S3Destination {
            bucket,
            prefix: KeyPrefix::default(),
            region: None,
            endpoint: None,
            addressing: Addressing::default(),
            signature: Signature::default(),
            link: Link::default(),
            credentials,
            storage_class: None,
            metadata: Metadata::default(),
            tags: Tags::default(),
            encryption: None,
            deadline_seconds: default_deadline(),
        }
    }

    /// A bucket of Tencent COS in a region, at the store's public address, virtual-hosted: COS knows no other
    /// style. <https://www.tencentcloud.com/document/product/436/6224>
    ///
    /// # Errors
    /// A bucket without its APPID.
    pub fn cos(bucket: BucketName, region: RegionName, credentials: Credentials) -> Result<S3Destination, BadS3> {
        bucket.check_cos()?;
        let endpoint = Url::parse(&format!("https://cos.{region}.myqcloud.com"));
        Ok(S3Destination {
            endpoint: Some(endpoint.map_err(|_| BadS3::Region(region.to_string()))?),
            region: Some(region),
            addressing: Addressing::VirtualHosted,
            ..S3Destination::new(bucket, credentials)
        })
    }

    /// The key of a file.
    pub fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) }
    }

    /// Whether requests have the bucket in their path.
    pub fn is_path_style(&self) -> bool {
        match self.addressing {
            Addressing::Path => true,
            Addressing::VirtualHosted => false,
            // A certificate of `*.host` is none for a bucket with a dot.
            Addressing::Auto if self.bucket.as_str().contains('.') => true,
            Addressing::Auto => self.endpoint.as_ref().is_some_and(|endpoint| !wants_virtual_hosts(endpoint)),
        }
    }

    /// The region that requests are signed for, if it is known.
    pub fn region(&self) -> Option<&str> {
        self.region.as_ref().map(RegionName::as_str).or_else(|| self.endpoint.is_some().then_some(NO_REGION))
    }

    /// The store's own URL of a key, or that of a domain; None where only the store's client can make it.
    pub fn url(&self, key: &str) -> Option<Url> {
        let base = match &self.link {
            Link::Presigned { .. } => return None,
            Link::Domain { address } => address.clone(),
            Link::Store => self.bucket_url()?,
        };
        let mut url = base;
        url.path_segments_mut().ok()?.pop_if_empty().extend(key.split('/'));
        Some(url)
    }

    fn bucket_url(&self) -> Option<Url> {
        let mut url = match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => Url::parse(&format!("https://s3.{}.amazonaws.com", self.region.as_ref()?)).ok()?,
        };
        if self.is_path_style() {
            url.path_segments_mut().ok()?.pop_if_empty().push(self.bucket.as_str());
        } else {
            let host = format!("{}.{}", self.bucket, url.host_str()?);
            url.set_host(Some(&host)).ok()?;
        }
        Some(url)
    }
}

impl fmt::Display for S3Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

fn wants_virtual_hosts(endpoint: &Url) -> bool {
    match endpoint.host() {
        Some(Host::Domain(host)) => VIRTUAL_HOSTED
            .iter()
            .any(|store| host.strip_suffix(store).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn at(endpoint: Option<&str>, region: Option<&str>) -> S3Destination {
        S3Destination {
            prefix: "2026/maths".parse().unwrap(),
            region: region.map(|region| region.parse().unwrap()),
            endpoint: endpoint.map(|endpoint| endpoint.parse().unwrap()),
            ..S3Destination::new("lessons".parse().unwrap(), Credentials::Chain)
        }
    }

    #[test]
    fn each_store_gets_the_bucket_where_it_wants_it() {
        for (endpoint, region, url) in [
            (None, Some("eu-west-1"), "https://lessons.s3.eu-west-1.amazonaws.com/2026/maths/a%20b.mp4"),
            (
                Some("https://cos.ap-shanghai.myqcloud.com"),
                None,
                "https://lessons.cos.ap-shanghai.myqcloud.com/2026/maths/a%20b.mp4",
            ),
            (
                Some("https://s3.oss-cn-beijing.aliyuncs.com/"),
                None,
                "https://lessons.s3.oss-cn-beijing.aliyuncs.com/2026/maths/a%20b.mp4",
            ),
            (Some("http://127.0.0.1:9000"), None, "http://127.0.0.1:9000/lessons/2026/maths/a%20b.mp4"),
            (
                Some("https://minio.school.example/s3/"),
                None,
                "https://minio.school.example/s3/lessons/2026/maths/a%20b.mp4",
            ),
            (Some("https://notmyqcloud.com"), None, "https://notmyqcloud.com/lessons/2026/maths/a%20b.mp4"),
        ] {
            let destination = at(endpoint, region);
            assert_eq!(destination.url(&destination.key("a b.mp4")).unwrap().as_str(), url);
        }
        let dotted = S3Destination { bucket: "le.ssons".parse().unwrap(), ..at(None, Some("eu-west-1")) };
        assert_eq!(dotted.url("k").unwrap().as_str(), "https://s3.eu-west-1.amazonaws.com/le.ssons/k");
        let domain = Link::Domain { address: "http://cdn.school.example".parse().unwrap() };
        let behind = S3Destination { link: domain, ..at(None, Some("eu-west-1")) };
        assert_eq!(behind.url("a/b.mp4").unwrap().as_str(), "http://cdn.school.example/a/b.mp4");
    }

    #[test]
    fn a_bucket_of_cos_is_where_its_region_says() {
        let in_shanghai = |bucket: &str| {
            S3Destination::cos(bucket.parse().unwrap(), "ap-shanghai".parse().unwrap(), Credentials::Chain)
        };
        let cos = in_shanghai("lessons-1250000000").unwrap();
        assert!(!cos.is_path_style());
        assert_eq!(cos.region(), Some("ap-shanghai"));
        let url = cos.url(&cos.key("a b.mp4")).unwrap();
        assert_eq!(url.as_str(), "https://lessons-1250000000.cos.ap-shanghai.myqcloud.com/a%20b.mp4");
        assert!(in_shanghai("lessons").unwrap_err().to_string().contains("APPID"));
    }

    #[test]
    fn it_is_read_back_as_it_was_written() {
        let destination = at(Some("http://127.0.0.1:9000"), None);
        let text = serde_json::to_string(&destination).unwrap();
        assert_eq!(serde_json::from_str::<S3Destination>(&text).unwrap(), destination);
        for absent in ["signature", "metadata", "tags", "encryption"] {
            assert!(!text.contains(absent), "{text}");
        }
        let least = r#"{"bucket":"lessons","credentials":"chain"}"#;
        let new = S3Destination::new("lessons".parse().unwrap(), Credentials::Chain);
        assert_eq!(serde_json::from_str::<S3Destination>(least).unwrap(), new);
        let pair = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let full = S3Destination {
            signature: Signature::Cos,
            metadata: Metadata::try_from(pair("lesson", "12")).unwrap(),
            tags: Tags::try_from(pair("Year", "2026/27")).unwrap(),
            encryption: Some("aws:kms:a-key".parse().unwrap()),
            ..destination
        };
        let text = serde_json::to_string(&full).unwrap();
        assert_eq!(serde_json::from_str::<S3Destination>(&text).unwrap(), full);
    }

    #[test]
    fn what_could_become_another_host_or_header_is_not_read() {
        for more in [
            r#""region":"ap-shanghai.example.com/""#,
            r#""region":"a@b""#,
            r#""metadata":{"a":"b\r\nc"}"#,
            r#""metadata":{"a:b":"c"}"#,
            r#""tags":{"a&b":"c"}"#,
            r#""encryption":{"algorithm":"AES128"}"#,
            r#""signature":"none""#,
        ] {
            let text = format!(r#"{{"bucket":"lessons","credentials":"chain",{more}}}"#);
            assert!(serde_json::from_str::<S3Destination>(&text).is_err(), "{text}");
        }
    }
}
