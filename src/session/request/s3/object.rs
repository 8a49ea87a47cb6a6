//! What is said of an object when it is made: its metadata, its tags, how it is encrypted.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::names::{BadS3, KmsKeyId, shown};

/// Names and values together, in bytes.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>
const MOST_METADATA: usize = 2048;
/// Tags of an object, and the characters of their names and values.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>
const MOST_TAGS: usize = 10;
const LONGEST_TAG: (usize, usize) = (128, 256);

/// What the store keeps with an object and gives with it, as headers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl TryFrom<BTreeMap<String, String>> for Metadata {
    type Error = BadS3;

    fn try_from(all: BTreeMap<String, String>) -> Result<Metadata, BadS3> {
        for (name, value) in &all {
            // COS takes no others: <https://www.tencentcloud.com/document/product/436/13361>
            let is_name = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
            if name.is_empty() || !name.bytes().all(is_name) {
                return Err(BadS3::MetadataName(shown(name)));
            }
            if value.trim() != value || !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                return Err(BadS3::MetadataValue(shown(name)));
            }
        }
        let bytes = all.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes <= MOST_METADATA { Ok(Metadata(all)) } else { Err(BadS3::MetadataSize(bytes)) }
    }
}

/// What a store's rules and bills go by.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct Tags(BTreeMap<String, String>);

impl Tags {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl TryFrom<BTreeMap<String, String>> for Tags {
    type Error = BadS3;

    fn try_from(all: BTreeMap<String, String>) -> Result<Tags, BadS3> {
        let may_be = |text: &str| text.chars().all(|c| c.is_alphanumeric() || " +-=._:/@".contains(c));
        for (name, value) in &all {
            let fits = (1..=LONGEST_TAG.0).contains(&name.chars().count())
                && value.chars().count() <= LONGEST_TAG.1
                && may_be(name)
                && may_be(value)
                && !name.starts_with("aws:");
            if !fits {
                return Err(BadS3::Tag(shown(&format!("{name}={value}"))));
            }
        }
        if all.len() <= MOST_TAGS { Ok(Tags(all)) } else { Err(BadS3::Tags(all.len())) }
    }
}

/// How the store encrypts what it keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "algorithm", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Encryption {
    /// With keys of its own.
    #[serde(rename = "AES256")]
    Aes256,
    /// With a key of its key management; None: the one that it takes by itself.
    #[serde(rename = "aws:kms")]
    Kms {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key_id: Option<KmsKeyId>,
    },
}

impl FromStr for Encryption {
    type Err = BadS3;

    /// `AES256`, `aws:kms` or `aws:kms:<key>`; a key's id may have colons itself.
    fn from_str(text: &str) -> Result<Encryption, BadS3> {
        match text {
            "AES256" => Ok(Encryption::Aes256),
            "aws:kms" => Ok(Encryption::Kms { key_id: None }),
            _ => {
                let key = text.strip_prefix("aws:kms:").ok_or_else(|| BadS3::Encryption(shown(text)))?;
                Ok(Encryption::Kms { key_id: Some(key.parse()?) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn metadata_is_what_headers_carry() {
        let given = all(&[("lesson-number", "12 of 30"), ("teacher", "")]);
        assert_eq!(Metadata::try_from(given).unwrap().iter().count(), 2);
        let long = "x".repeat(MOST_METADATA);
        for (name, value, says) in [
            ("", "a", "not a name"),
            ("Teacher", "a", "not a name"),
            ("lesson_number", "1", "not a name"),
            ("teacher", " a", "no header"),
            ("teacher", "a\nb", "no header"),
            ("teacher", "Zoë", "no header"),
            ("a", &long, "2049 bytes"),
        ] {
            let error = Metadata::try_from(all(&[(name, value)])).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn tags_are_few_and_short() {
        Tags::try_from(all(&[
            ("Schuljahr", "2026/27 + Förderung"),
            ("empty", ""),
            (&"k".repeat(128), &"v".repeat(256)),
        ]))
        .unwrap();
        for (name, value) in [("", "a"), (&"k".repeat(129), ""), ("a", &"v".repeat(257)), ("aws:a", "b"), ("a", "b&c")]
        {
            assert!(Tags::try_from(all(&[(name, value)])).is_err(), "{name}={value}");
        }
        let many: BTreeMap<String, String> = (0..11).map(|n| (n.to_string(), String::new())).collect();
        assert!(Tags::try_from(many).unwrap_err().to_string().contains("at most 10"));
    }

    #[test]
    fn an_encryption_is_said_in_one_word_or_two() {
        let key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd";
        for (text, json) in [
            ("AES256", r#"{"algorithm":"AES256"}"#.to_owned()),
            ("aws:kms", r#"{"algorithm":"aws:kms"}"#.to_owned()),
            (&format!("aws:kms:{key}"), format!(r#"{{"algorithm":"aws:kms","keyId":"{key}"}}"#)),
        ] {
            let encryption: Encryption = text.parse().unwrap();
            assert_eq!(serde_json::to_string(&encryption).unwrap(), json);
            assert_eq!(serde_json::from_str::<Encryption>(&json).unwrap(), encryption);
        }
        for text in ["", "aes256", "AES256:key", "aws:kms:", "aws:kms:a b", "aws:kmsx"] {
            assert!(text.parse::<Encryption>().is_err(), "{text}");
        }
        assert!(serde_json::from_str::<Encryption>(r#"{"algorithm":"aws:kms","keyId":"a\r\nb"}"#).is_err());
    }
}
