//! A place in an object store with the S3 interface.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::{Host, Url};

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
    pub region: Option<String>,
    /// The store's address; None: that of AWS in its region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Url>,
    #[serde(default)]
    pub addressing: Addressing,
    /// How the URL in the result is made.
    #[serde(default)]
    pub link: Link,
    pub credentials: Credentials,
    /// The store's word, such as `STANDARD_IA`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
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
    /// The key of a file.
    pub fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix.0) }
    }

    /// Whether requests have the bucket in their path.
    pub fn is_path_style(&self) -> bool {
        match self.addressing {
            Addressing::Path => true,
            Addressing::VirtualHosted => false,
            // A certificate of `*.host` is none for a bucket with a dot.
            Addressing::Auto if self.bucket.0.contains('.') => true,
            Addressing::Auto => self.endpoint.as_ref().is_some_and(|endpoint| !wants_virtual_hosts(endpoint)),
        }
    }

    /// The region that requests are signed for, if it is known.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref().or_else(|| self.endpoint.is_some().then_some(NO_REGION))
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
            None => Url::parse(&format!("https://s3.{}.amazonaws.com", self.region.as_deref()?)).ok()?,
        };
        if self.is_path_style() {
            url.path_segments_mut().ok()?.pop_if_empty().push(&self.bucket.0);
        } else {
            let host = format!("{}.{}", self.bucket, url.host_str()?);
            url.set_host(Some(&host)).ok()?;
        }
        Some(url)
    }
}

impl fmt::Display for S3Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix.0)
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

/// Why something is no place in a store.
#[derive(Debug, thiserror::Error)]
pub enum BadS3 {
    #[error("{0:?} is not a bucket's name: 3 to 63 small letters, digits, '-' and '.', as in lessons-2026")]
    Bucket(String),
    #[error(
        "{0:?} is not a folder in a bucket: without '/' at its ends, '.', '..', control characters; at most 512 bytes"
    )]
    Prefix(String),
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $fits:expr, $bad:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct $name(String);

        impl FromStr for $name {
            type Err = BadS3;

            fn from_str(text: &str) -> Result<$name, BadS3> {
                let fits: fn(&str) -> bool = $fits;
                if fits(text) { Ok($name(text.to_owned())) } else { Err($bad(text.chars().take(80).collect())) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

checked_text!(
    /// The name of a bucket, by the rules that all stores share.
    BucketName,
    |text| {
        (3..=63).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
            && !text.starts_with(['-', '.'])
            && !text.ends_with(['-', '.'])
            && !text.contains("..")
    },
    BadS3::Bucket
);

checked_text!(
    /// The folder of keys in a bucket; may be empty.
    KeyPrefix,
    |text| {
        text.len() <= 512
            && (text.is_empty() || text.split('/').all(|part| !matches!(part, "" | "." | "..")))
            && !text.chars().any(char::is_control)
    },
    BadS3::Prefix
);

impl KeyPrefix {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl BucketName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(endpoint: Option<&str>, region: Option<&str>) -> S3Destination {
        S3Destination {
            bucket: "lessons".parse().unwrap(),
            prefix: "2026/maths".parse().unwrap(),
            region: region.map(str::to_owned),
            endpoint: endpoint.map(|endpoint| endpoint.parse().unwrap()),
            addressing: Addressing::Auto,
            link: Link::Store,
            credentials: Credentials::Chain,
            storage_class: None,
            deadline_seconds: 60,
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
    fn what_is_no_bucket_and_no_folder_is_refused() {
        for bucket in ["", "ab", "Lessons", "a_b", "-ab", "ab.", "a..b", "a/b", &"a".repeat(64)] {
            assert!(bucket.parse::<BucketName>().is_err(), "{bucket}");
        }
        for prefix in ["/a", "a/", "a//b", "..", "a/../b", "a\nb", &"a".repeat(513)] {
            assert!(prefix.parse::<KeyPrefix>().is_err(), "{prefix}");
        }
        assert_eq!(S3Destination { prefix: KeyPrefix::default(), ..at(None, None) }.key("a.mp4"), "a.mp4");
    }

    #[test]
    fn it_is_read_back_as_it_was_written() {
        let destination = at(Some("http://127.0.0.1:9000"), None);
        let text = serde_json::to_string(&destination).unwrap();
        assert_eq!(serde_json::from_str::<S3Destination>(&text).unwrap(), destination);
        let least = r#"{"bucket":"lessons","credentials":"chain"}"#;
        assert_eq!(serde_json::from_str::<S3Destination>(least).unwrap().deadline_seconds, 3_600);
    }
}
