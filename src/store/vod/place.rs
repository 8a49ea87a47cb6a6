//! Where the files of one media lie before they are one: what ApplyUpload gave. Pure.

use serde::{Deserialize, Serialize};
use url::Url;

use super::api::{Action, ApplyUpload, UploadApplied};
use super::fault::VodError;
use crate::session::request::{BucketName, Credentials, KeyPrefix, S3Destination, VodDestination};

/// The directory of a media is named by so many hexadecimal digits, then its FileId; so it is in all examples
/// of VOD's documentation.
const BEFORE_FILE_ID: usize = 8;

/// The upload of a media, as it is journaled: whoever goes on does so with the same one. No key is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Begun {
    pub place: Place,
    pub stage: Stage,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Stage {
    Sending,
    /// Everything is there, and CommitUpload has been asked for; perhaps it was taken.
    Committing,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Place {
    /// What CommitUpload is asked with.
    pub session_key: String,
    pub bucket: BucketName,
    pub region: String,
    /// The key of the file that players open.
    pub media_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover_key: Option<String>,
}

impl Place {
    /// The place that VOD names, if it can be one.
    pub(super) fn of(applied: &UploadApplied) -> Result<Place, VodError> {
        let wrong = |why| VodError::Answer { action: ApplyUpload::NAME, why };
        let key = |path: &str| {
            let key = path.strip_prefix('/').unwrap_or(path);
            let fits = !key.is_empty() && key.parse::<KeyPrefix>().is_ok();
            if fits { Ok(key.to_owned()) } else { Err(wrong("a storage path is no key of an object")) }
        };
        let region = applied.storage_region.as_str();
        let is_region = (1..=64).contains(&region.len())
            && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !is_region {
            return Err(wrong("the storage region is no name of a region"));
        }
        let cover = applied.cover_storage_path.as_deref().filter(|path| !path.is_empty());
        Ok(Place {
            session_key: applied.vod_session_key.clone(),
            bucket: applied.storage_bucket.parse().map_err(|_| wrong("the storage bucket is no name of a bucket"))?,
            region: region.to_owned(),
            media_key: key(&applied.media_storage_path)?,
            cover_key: cover.map(key).transpose()?,
        })
    }

    /// The key of a file beside the one that players open.
    pub(super) fn key_beside(&self, name: &str) -> String {
        match self.media_key.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{name}"),
            None => name.to_owned(),
        }
    }

    /// The bucket, as the S3 client takes it; `vod` may name another address than that of COS.
    pub(super) fn store(&self, vod: &VodDestination) -> Result<S3Destination, VodError> {
        let why = "the storage region makes no address";
        let endpoint = match &vod.store_endpoint {
            Some(endpoint) => endpoint.clone(),
            None => Url::parse(&format!("https://cos.{}.myqcloud.com", self.region))
                .map_err(|_| VodError::Answer { action: ApplyUpload::NAME, why })?,
        };
        let region = self.region.parse().map_err(|_| VodError::Answer { action: ApplyUpload::NAME, why })?;
        Ok(S3Destination {
            region: Some(region),
            endpoint: Some(endpoint),
            deadline_seconds: vod.deadline_seconds,
            // The certificate's keys are given apart, for they are written down nowhere.
            ..S3Destination::new(self.bucket.clone(), Credentials::Chain)
        })
    }

    /// The FileId that the media will have, or has, as far as its directory tells.
    pub(super) fn file_id(&self) -> Option<&str> {
        let folder = self.media_key.rsplit('/').nth(1)?;
        let (before, id) = folder.split_at_checked(BEFORE_FILE_ID)?;
        let is_id = before.bytes().all(|byte| byte.is_ascii_hexdigit())
            && (10..=20).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_digit());
        is_id.then_some(id)
    }

    /// Whether a media's URL is that of the file at this place.
    pub(super) fn is_at(&self, media_url: &str) -> bool {
        Url::parse(media_url).is_ok_and(|url| url.path().strip_prefix('/') == Some(self.media_key.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(path: &str) -> UploadApplied {
        UploadApplied {
            storage_bucket: "6c0f1c00vodgzp251000333-251000333".to_owned(),
            storage_region: "ap-guangzhou-2".to_owned(),
            vod_session_key: "session".to_owned(),
            media_storage_path: path.to_owned(),
            cover_storage_path: Some("/6c0f1c00vodgzp251000333/dee2125c24820810452266399/24820810452266400.jpg".into()),
            temp_certificate: None,
        }
    }

    #[test]
    fn segments_lie_beside_the_playlist_and_the_bucket_is_in_the_host() {
        let place = Place::of(&applied("/6c0f1c00vodgzp251000333/dee2125c24820810452266399/f0.m3u8")).unwrap();
        assert_eq!(
            place.key_beside("lesson 1-00000.ts"),
            "6c0f1c00vodgzp251000333/dee2125c24820810452266399/lesson 1-00000.ts"
        );
        assert_eq!(place.file_id(), Some("24820810452266399"));
        let media = "6c0f1c00vodgzp251000333/dee2125c24820810452266399/f0.m3u8";
        assert!(place.is_at(&format!("http://251000333.vod2.myqcloud.com/{media}?t=1")));
        assert!(!place.is_at("http://251000333.vod2.myqcloud.com/f0.m3u8"));
        let mut vod = VodDestination::new("/run/panorec-vod.json".into());
        let url = |vod: &VodDestination| place.store(vod).unwrap().url(&place.media_key).unwrap().to_string();
        assert_eq!(
            url(&vod),
            format!("https://6c0f1c00vodgzp251000333-251000333.cos.ap-guangzhou-2.myqcloud.com/{media}")
        );
        vod.store_endpoint = Some("http://127.0.0.1:9000".parse().unwrap());
        assert_eq!(url(&vod), format!("http://127.0.0.1:9000/6c0f1c00vodgzp251000333-251000333/{media}"));
    }

    #[test]
    fn a_place_that_leads_elsewhere_is_none() {
        for path in ["", "/", "/a/../b.mp4", "//a.mp4", "/a\n.mp4"] {
            assert!(Place::of(&applied(path)).is_err(), "{path:?}");
        }
        for region in ["", "ap.example.com/", "AP", "a b"] {
            let applied = UploadApplied { storage_region: region.to_owned(), ..applied("/a.mp4") };
            assert!(Place::of(&applied).is_err(), "{region:?}");
        }
        let applied = UploadApplied { storage_bucket: "a/b".to_owned(), ..applied("/a.mp4") };
        assert!(Place::of(&applied).is_err());
    }

    #[test]
    fn a_directory_without_an_id_has_none() {
        for path in ["/f0.mp4", "/dir/f0.mp4", "/dee2125cx4820810452266399/f0.mp4", "/éééé24820810452266399/f0.mp4"]
        {
            assert_eq!(Place::of(&applied(path)).unwrap().file_id(), None, "{path}");
        }
    }
}
