//! One upload in parts: what is there of it, its parts, its completion.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

use super::fault::Fault;
use super::object::{There, there};
use super::persist::persist;
use super::{Rights, S3Error};
use crate::session::request::S3Destination;
use crate::store::{StoreError, hex};

/// The smallest size of a part, in bytes: what all stores take (R2 and MinIO from 5 MiB on) and few requests.
pub(super) const PART: u64 = 8 << 20;
/// Every store's limit.
pub(super) const PARTS: u64 = 10_000;
/// The largest part that is held in memory; the largest object is ten thousand of them.
pub(super) const LARGEST_PART: u64 = 512 << 20;
/// Parts on their way: memory is this many parts.
pub(super) const AT_ONCE: usize = 2;

/// An upload that was begun.
pub(super) struct Parts {
    pub client: Client,
    pub destination: Arc<S3Destination>,
    pub rights: Rights,
    pub key: String,
    pub upload_id: String,
}

/// Why parts were not sent.
pub(super) enum Failed {
    Upload(Fault),
    Read(StoreError),
}

impl Parts {
    /// The parts that are there, with their entity tags.
    pub(super) async fn list(&self, until: Instant) -> Result<BTreeMap<i32, String>, Fault> {
        let list = async || {
            let mut pages = self
                .client
                .list_parts()
                .bucket(self.destination.bucket.as_str())
                .key(&self.key)
                .upload_id(&self.upload_id)
                .into_paginator()
                .send();
            let mut there = BTreeMap::new();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| Fault::of(error, &self.destination))?;
                let parts = page.parts.unwrap_or_default();
                there.extend(parts.into_iter().filter_map(|part| Some((part.part_number?, part.e_tag?))));
            }
            Ok(there)
        };
        persist(&self.destination, until, list).await
    }

    /// Sends a part, unless the same is there already under the tag `there`.
    pub(super) async fn send(
        &self,
        number: i32,
        bytes: Vec<u8>,
        there: Option<&str>,
        until: Instant,
    ) -> Result<CompletedPart, Failed> {
        let digest = Md5::digest(&bytes);
        let part = |tag: String| CompletedPart::builder().part_number(number).e_tag(tag).build();
        // What was made anew may differ.
        if let Some(tag) = there.filter(|tag| tag.trim_matches('"').eq_ignore_ascii_case(&hex(&digest))) {
            return Ok(part(tag.to_owned()));
        }
        let bytes = bytes::Bytes::from(bytes);
        let digest = STANDARD.encode(digest);
        let send = async || {
            let request = self
                .client
                .upload_part()
                .bucket(self.destination.bucket.as_str())
                .key(&self.key)
                .upload_id(&self.upload_id)
                .part_number(number)
                .content_md5(&digest)
                .body(ByteStream::from(bytes.clone()));
            request.send().await.map_err(|error| Fault::of(error, &self.destination))
        };
        let taken = persist(&self.destination, until, send).await.map_err(Failed::Upload)?;
        let said = "it gives no entity tag for a part".to_owned();
        let tag = taken.e_tag.ok_or(Failed::Upload(Fault::Permanent(S3Error::Refused { said })))?;
        Ok(part(tag))
    }

    /// Makes the object of `size_bytes` out of these parts.
    pub(super) async fn complete(
        &self,
        parts: Vec<CompletedPart>,
        size_bytes: u64,
        until: Instant,
    ) -> Result<(), Failed> {
        let whole = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = async || {
            let request = self
                .client
                .complete_multipart_upload()
                .bucket(self.destination.bucket.as_str())
                .key(&self.key)
                .upload_id(&self.upload_id)
                .multipart_upload(whole.clone());
            request.send().await.map_err(|error| Fault::of(error, &self.destination))
        };
        match persist(&self.destination, until, complete).await {
            Ok(_) => Ok(()),
            // An answer was lost on the way, and the same was asked again.
            Err(Fault::NoSuchUpload) => {
                let there = there(&self.client, &self.destination, self.rights, &self.key, until).await;
                match there.map_err(Failed::Read)? {
                    There::Bytes(there) if there == size_bytes as i64 => Ok(()),
                    _ => Err(Failed::Upload(Fault::NoSuchUpload)),
                }
            }
            Err(fault) => Err(Failed::Upload(fault)),
        }
    }
}

pub(super) fn lasting(fault: Fault) -> StoreError {
    StoreError::S3(match fault {
        Fault::Permanent(error) => error,
        Fault::Transient(said) => S3Error::Refused { said },
        Fault::NoSuchUpload => S3Error::Refused { said: "NoSuchUpload".to_owned() },
    })
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> StoreError {
        match failed {
            Failed::Upload(fault) => lasting(fault),
            Failed::Read(error) => error,
        }
    }
}
