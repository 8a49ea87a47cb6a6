//! The names in a store, checked once: what has their types may go into a host name, a path or a header.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why something is no place in a store, or cannot be said of an object there.
#[derive(Debug, thiserror::Error)]
pub enum BadS3 {
    #[error("{0:?} is not a bucket's name: 3 to 63 small letters, digits, '-' and '.', as in lessons-2026")]
    Bucket(String),
    #[error("{0:?} is not a bucket of COS: its name ends with '-' and the APPID, as in lessons-1250000000")]
    CosBucket(String),
    #[error(
        "{0:?} is not a folder in a bucket: without '/' at its ends, '.', '..', control characters; at most 512 bytes"
    )]
    Prefix(String),
    #[error("{0:?} is not a region: 1 to 63 letters, digits and '-', as in us-east-1 or ap-shanghai")]
    Region(String),
    #[error("{0:?} is not the id of a key: 1 to 512 letters, digits, ':', '/', '-', '_' and '.'")]
    KmsKey(String),
    #[error("{0:?} is not a way to encrypt: AES256, aws:kms, or aws:kms: and the id of a key")]
    Encryption(String),
    #[error("{0:?} is not a name of metadata: small letters, digits and '-', as in lesson-number")]
    MetadataName(String),
    #[error("the metadata {0:?} has a value that no header can carry: visible ASCII, no space at its ends")]
    MetadataValue(String),
    #[error("the metadata has {0} bytes, names and values together; stores take 2048")]
    MetadataSize(usize),
    #[error(
        "{0:?} is not a tag: a name of 1 to 128 and a value of at most 256 letters, digits, spaces and + - = . _ : / @, \
         not beginning with aws:"
    )]
    Tag(String),
    #[error("{0} tags are too many; an object has at most 10")]
    Tags(usize),
}

/// So much of what was given is shown in an error.
const SHOWN: usize = 80;

pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $fits:expr, $bad:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadS3;

            fn from_str(text: &str) -> Result<$name, BadS3> {
                let fits: fn(&str) -> bool = $fits;
                if fits(text) { Ok($name(text.to_owned())) } else { Err($bad(shown(text))) }
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

checked_text!(
    /// A region's name. It becomes a part of a host name, so it is a label of one (RFC 1123, 2.1).
    RegionName,
    |text| {
        (1..=63).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-')
    },
    BadS3::Region
);

checked_text!(
    /// The id, the alias or the ARN of a key in the store's key management.
    KmsKeyId,
    |text| {
        (1..=512).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/-_.".contains(&byte))
    },
    BadS3::KmsKey
);

impl KeyPrefix {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl BucketName {
    /// Checks that it is one of COS: `<name>-<APPID>`, without a dot.
    /// <https://www.tencentcloud.com/document/product/436/13312>
    pub(super) fn check_cos(&self) -> Result<(), BadS3> {
        let is_app_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        let fits = self.0.rsplit_once('-').is_some_and(|(name, id)| !name.is_empty() && is_app_id(id));
        if fits && !self.0.contains('.') { Ok(()) } else { Err(BadS3::CosBucket(self.0.clone())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_is_refused() {
        for bucket in ["", "ab", "Lessons", "a_b", "-ab", "ab.", "a..b", "a/b", &"a".repeat(64)] {
            assert!(bucket.parse::<BucketName>().is_err(), "{bucket}");
        }
        for prefix in ["/a", "a/", "a//b", "..", "a/../b", "a\nb", &"a".repeat(513)] {
            assert!(prefix.parse::<KeyPrefix>().is_err(), "{prefix}");
        }
        for region in ["", "-a", "a-", "a.b", "a/b", "a@b", "a:1", "a b", "a_b", "é", &"a".repeat(64)] {
            assert!(region.parse::<RegionName>().is_err(), "{region}");
        }
        for region in ["auto", "us-east-1", "ap-shanghai", "ap-beijing-1", "Garage"] {
            assert_eq!(region.parse::<RegionName>().unwrap().as_str(), region);
        }
        for key in ["", "a b", "a\nb", "a\"b", &"a".repeat(513)] {
            assert!(key.parse::<KmsKeyId>().is_err(), "{key}");
        }
    }

    #[test]
    fn a_bucket_of_cos_has_its_appid() {
        let check = |bucket: &str| bucket.parse::<BucketName>().unwrap().check_cos();
        check("lessons-1250000000").unwrap();
        check("my-lessons-1").unwrap();
        for bucket in ["lessons", "lessons-", "les.sons-125", "lessons-12a", "125"] {
            let refused = bucket.parse::<BucketName>().map(|bucket| bucket.check_cos().is_err());
            assert!(refused.unwrap_or(true), "{bucket}");
        }
    }
}
