//! What a destination says of its objects, in the SDK's words.

use std::collections::HashMap;

use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};
use url::form_urlencoded::byte_serialize;

use super::small::Notes;
use crate::session::request::{Encryption, S3Destination, Tags};

/// The headers that an object is made with, at once or in parts. What is not said is left to the bucket.
pub(super) struct About {
    pub content_type: &'static str,
    pub storage_class: Option<StorageClass>,
    pub metadata: Option<HashMap<String, String>>,
    pub tagging: Option<String>,
    pub encryption: Option<ServerSideEncryption>,
    pub kms_key_id: Option<String>,
}

impl About {
    pub(super) fn of(destination: &S3Destination, key: &str) -> About {
        let metadata =
            || destination.metadata.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let (encryption, kms_key_id) = match &destination.encryption {
            None => (None, None),
            Some(Encryption::Aes256) => (Some(ServerSideEncryption::Aes256), None),
            Some(Encryption::Kms { key_id }) => {
                (Some(ServerSideEncryption::AwsKms), key_id.as_ref().map(ToString::to_string))
            }
        };
        About {
            content_type: content_type(key),
            storage_class: destination.storage_class.as_deref().map(StorageClass::from),
            metadata: (!destination.metadata.is_empty()).then(metadata),
            tagging: (!destination.tags.is_empty()).then(|| tagging(&destination.tags)),
            encryption,
            kms_key_id,
        }
    }

    /// With more metadata.
    pub(super) fn with(mut self, notes: &Notes) -> About {
        if !notes.is_empty() {
            let notes = notes.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            self.metadata.get_or_insert_default().extend(notes);
        }
        self
    }
}

/// As in a URL's query. A space is `%20`, which everybody reads, and not '+'.
fn tagging(tags: &Tags) -> String {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
    let pairs = tags.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// By the key's extension; a store guesses none.
fn content_type(key: &str) -> &'static str {
    match key.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "mp4" => "video/mp4",
        "m3u8" => "application/vnd.apple.mpegurl",
        "ts" => "video/mp2t",
        "m4s" => "video/iso.segment",
        "webm" => "video/webm",
        "jpg" => "image/jpeg",
        "png" => "image/png",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::session::request::Credentials;

    #[test]
    fn tags_are_a_query() {
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let tags = [("Class", "7 b+c"), ("Schule", "Zoë=@/")].map(pair);
        let tags = Tags::try_from(BTreeMap::from(tags)).unwrap();
        assert_eq!(tagging(&tags), "Class=7%20b%2Bc&Schule=Zo%C3%AB%3D%40%2F");
    }

    #[test]
    fn what_is_not_said_is_not_sent() {
        let plain = S3Destination::new("lessons".parse().unwrap(), Credentials::Chain);
        let about = About::of(&plain, "a.mp4");
        assert_eq!(about.content_type, "video/mp4");
        assert!(about.metadata.is_none() && about.tagging.is_none() && about.encryption.is_none());
        let kms = S3Destination { encryption: Some("aws:kms:a-key".parse().unwrap()), ..plain };
        let about = About::of(&kms, "a");
        assert_eq!(
            (about.encryption, about.kms_key_id.as_deref()),
            (Some(ServerSideEncryption::AwsKms), Some("a-key"))
        );
    }
}
