//! One file into one object: at once where it is small, else in parts of one size, two on their way at a time.
//! An upload that was begun before goes on with the parts that are there.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, StorageClass};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt, TryStreamExt};
use md5::{Digest, Md5};

use super::fault::Fault;
use super::{S3Error, S3Store};
use crate::store::StoreError;

/// The smallest size of a part: what all stores take (R2 and MinIO from 5 MiB on) and few requests.
const PART: u64 = 8 << 20;
/// Every store's limit.
const PARTS: u64 = 10_000;
/// The largest part that is held in memory; the largest object is ten thousand of them.
const LARGEST_PART: u64 = 512 << 20;
/// Parts on their way: memory is this many parts.
const AT_ONCE: usize = 2;
/// A look for uploads that were left behind may take so long.
const SWEEP: Duration = Duration::from_secs(15);
/// How often a lost upload is begun anew.
const BEGINNINGS: u32 = 3;

/// A file that is being sent.
struct Sending<'a> {
    store: &'a S3Store<'a>,
    file: &'a File,
    path: &'a Path,
    key: &'a str,
    size_bytes: u64,
    until: Instant,
}

/// Sends the file; its size in bytes. `sent` is told how many of them are there.
pub(super) async fn upload(
    store: &S3Store<'_>,
    path: &Path,
    key: &str,
    sent: &mut dyn FnMut(u64),
) -> Result<u64, StoreError> {
    let read = |source| StoreError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(read)?;
    let size_bytes = file.metadata().map_err(read)?.len();
    let until = Instant::now() + Duration::from_secs(store.destination.deadline_seconds);
    let sending = Sending { store, file: &file, path, key, size_bytes, until };
    if size_bytes <= PART {
        sending.at_once().await?;
    } else {
        sending.in_parts(sent).await?;
    }
    sent(size_bytes);
    Ok(size_bytes)
}

/// The size of all parts but the last one.
fn part_bytes(size_bytes: u64) -> Option<u64> {
    let least = size_bytes.div_ceil(PARTS).next_multiple_of(1 << 20);
    Some(least.max(PART)).filter(|bytes| *bytes <= LARGEST_PART)
}

impl Sending<'_> {
    async fn at_once(&self) -> Result<(), StoreError> {
        let bytes = self.read(0, self.size_bytes)?;
        let digest = STANDARD.encode(Md5::digest(&bytes));
        let bytes = bytes::Bytes::from(bytes);
        let S3Store { client, destination, .. } = self.store;
        let put = async || {
            let request = client
                .put_object()
                .bucket(destination.bucket.as_str())
                .key(self.key)
                .content_type(content_type(self.key))
                .set_storage_class(storage_class(destination.storage_class.as_deref()))
                .content_md5(&digest)
                .body(ByteStream::from(bytes.clone()));
            request.send().await.map_err(|error| Fault::of(error, destination))
        };
        self.store.persist(self.until, put).await.map_err(lasting)?;
        self.verify().await
    }

    async fn in_parts(&self, sent: &mut dyn FnMut(u64)) -> Result<(), StoreError> {
        let part_bytes = part_bytes(self.size_bytes).ok_or(S3Error::TooLarge { size_bytes: self.size_bytes })?;
        for _ in 0..BEGINNINGS {
            let (upload_id, there) = match self.store.uploads.open(self.key) {
                Some(upload_id) => match self.parts_there(&upload_id).await {
                    Ok(there) => (upload_id, there),
                    // Its completion may have been lost on the way back.
                    Err(Fault::NoSuchUpload) if self.is_there().await? => return Ok(()),
                    Err(Fault::NoSuchUpload) => (self.begin().await?, BTreeMap::new()),
                    Err(fault) => return Err(lasting(fault)),
                },
                None => (self.begin().await?, BTreeMap::new()),
            };
            match self.send_parts(&upload_id, part_bytes, &there, sent).await {
                Ok(()) => {
                    self.sweep().await;
                    return self.verify().await;
                }
                Err(Failed::Upload(Fault::NoSuchUpload)) => {}
                Err(Failed::Upload(fault)) => return Err(lasting(fault)),
                Err(Failed::Read(error)) => return Err(error),
            }
        }
        let said = "it lost the upload again and again".to_owned();
        Err(S3Error::Refused { said }.into())
    }

    /// Begins an upload, and writes that down before anything is sent.
    async fn begin(&self) -> Result<String, StoreError> {
        let S3Store { client, destination, .. } = self.store;
        let create = async || {
            let request = client
                .create_multipart_upload()
                .bucket(destination.bucket.as_str())
                .key(self.key)
                .content_type(content_type(self.key))
                .set_storage_class(storage_class(destination.storage_class.as_deref()));
            request.send().await.map_err(|error| Fault::of(error, destination))
        };
        let created = self.store.persist(self.until, create).await.map_err(lasting)?;
        let said = "it gives no upload id".to_owned();
        let upload_id = created.upload_id.ok_or(S3Error::Refused { said })?;
        if let Err(error) = self.store.uploads.begun(self.key, &upload_id) {
            self.abort(&upload_id).await;
            return Err(error);
        }
        Ok(upload_id)
    }

    /// The parts that are there, with their entity tags.
    async fn parts_there(&self, upload_id: &str) -> Result<BTreeMap<i32, String>, Fault> {
        let S3Store { client, destination, .. } = self.store;
        let list = async || {
            let mut pages = client
                .list_parts()
                .bucket(destination.bucket.as_str())
                .key(self.key)
                .upload_id(upload_id)
                .into_paginator()
                .send();
            let mut there = BTreeMap::new();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| Fault::of(error, destination))?;
                let parts = page.parts.unwrap_or_default();
                there.extend(parts.into_iter().filter_map(|part| Some((part.part_number?, part.e_tag?))));
            }
            Ok(there)
        };
        self.store.persist(self.until, list).await
    }

    async fn send_parts(
        &self,
        upload_id: &str,
        part_bytes: u64,
        there: &BTreeMap<i32, String>,
        sent: &mut dyn FnMut(u64),
    ) -> Result<(), Failed> {
        let count = self.size_bytes.div_ceil(part_bytes) as i32;
        let mut parts = Vec::new();
        let mut bytes_sent = 0;
        let mut sending = futures::stream::iter(1..=count)
            .map(|number| self.send_part(upload_id, number, part_bytes, there.get(&number)))
            .buffered(AT_ONCE);
        while let Some((part, bytes)) = sending.try_next().await? {
            bytes_sent += bytes;
            sent(bytes_sent);
            parts.push(part);
        }
        let S3Store { client, destination, .. } = self.store;
        let whole = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = async || {
            let request = client
                .complete_multipart_upload()
                .bucket(destination.bucket.as_str())
                .key(self.key)
                .upload_id(upload_id)
                .multipart_upload(whole.clone());
            request.send().await.map_err(|error| Fault::of(error, destination))
        };
        match self.store.persist(self.until, complete).await {
            Ok(_) => Ok(()),
            // An answer was lost on the way, and the same was asked again.
            Err(Fault::NoSuchUpload) if self.is_there().await.map_err(Failed::Read)? => Ok(()),
            Err(fault) => Err(Failed::Upload(fault)),
        }
    }

    async fn send_part(
        &self,
        upload_id: &str,
        number: i32,
        part_bytes: u64,
        there: Option<&String>,
    ) -> Result<(CompletedPart, u64), Failed> {
        let offset = (number as u64 - 1) * part_bytes;
        let length = part_bytes.min(self.size_bytes - offset);
        let bytes = self.read(offset, length).map_err(Failed::Read)?;
        let digest = Md5::digest(&bytes);
        let part = |tag: String| (CompletedPart::builder().part_number(number).e_tag(tag).build(), length);
        // The file may have been made anew, and differ.
        if let Some(tag) = there.filter(|tag| tag.trim_matches('"').eq_ignore_ascii_case(&hex(&digest))) {
            return Ok(part(tag.clone()));
        }
        let bytes = bytes::Bytes::from(bytes);
        let digest = STANDARD.encode(digest);
        let S3Store { client, destination, .. } = self.store;
        let send = async || {
            let request = client
                .upload_part()
                .bucket(destination.bucket.as_str())
                .key(self.key)
                .upload_id(upload_id)
                .part_number(number)
                .content_md5(&digest)
                .body(ByteStream::from(bytes.clone()));
            request.send().await.map_err(|error| Fault::of(error, destination))
        };
        let taken = self.store.persist(self.until, send).await.map_err(Failed::Upload)?;
        let said = "it gives no entity tag for a part".to_owned();
        let tag = taken.e_tag.ok_or(Failed::Upload(Fault::Permanent(S3Error::Refused { said })))?;
        Ok(part(tag))
    }

    /// Looks whether the object has come whole.
    async fn verify(&self) -> Result<(), StoreError> {
        match self.size_there().await? {
            Some(there) if there == self.size_bytes as i64 => Ok(()),
            there => {
                let key = self.key.to_owned();
                Err(S3Error::Differs { key, there: there.unwrap_or(0), sent: self.size_bytes }.into())
            }
        }
    }

    async fn is_there(&self) -> Result<bool, StoreError> {
        Ok(self.size_there().await? == Some(self.size_bytes as i64))
    }

    async fn size_there(&self) -> Result<Option<i64>, StoreError> {
        let S3Store { client, destination, .. } = self.store;
        let head = async || {
            let request = client.head_object().bucket(destination.bucket.as_str()).key(self.key);
            match request.send().await {
                Ok(found) => Ok(found.content_length),
                Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => Ok(None),
                Err(error) => Err(Fault::of(error, destination)),
            }
        };
        self.store.persist(self.until, head).await.map_err(lasting)
    }

    /// Aborts what else was begun of this key: the answer was lost, or panorec ended before it was written
    /// down. The object is there, so a store that does not let us look is none to fail for.
    async fn sweep(&self) {
        let S3Store { client, destination, .. } = self.store;
        let request = client.list_multipart_uploads().bucket(destination.bucket.as_str()).prefix(self.key);
        let open = match tokio::time::timeout(SWEEP, request.send()).await {
            Ok(Ok(open)) => open.uploads.unwrap_or_default(),
            Ok(Err(error)) => return tracing::debug!(%error, "cannot look for uploads that were left behind"),
            Err(_) => return tracing::debug!("no answer to what uploads were left behind"),
        };
        for upload in open.into_iter().filter(|upload| upload.key.as_deref() == Some(self.key)) {
            if let Some(upload_id) = upload.upload_id {
                self.abort(&upload_id).await;
            }
        }
    }

    /// Nothing of it is left in the store, if the store can be reached.
    async fn abort(&self, upload_id: &str) {
        let S3Store { client, destination, .. } = self.store;
        let request = client.abort_multipart_upload().bucket(destination.bucket.as_str()).key(self.key);
        if let Err(error) = request.upload_id(upload_id).send().await {
            tracing::warn!(%error, key = self.key, "an upload that was begun could not be aborted");
        }
    }

    fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; length as usize];
        let read = self.file.read_exact_at(&mut bytes, offset);
        read.map_err(|source| StoreError::Read { path: self.path.to_owned(), source })?;
        Ok(bytes)
    }
}

/// Why parts were not sent.
enum Failed {
    Upload(Fault),
    Read(StoreError),
}

fn lasting(fault: Fault) -> StoreError {
    StoreError::S3(match fault {
        Fault::Permanent(error) => error,
        Fault::Transient(said) => S3Error::Refused { said },
        Fault::NoSuchUpload => S3Error::Refused { said: "NoSuchUpload".to_owned() },
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn storage_class(name: Option<&str>) -> Option<StorageClass> {
    name.map(StorageClass::from)
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
    use super::*;

    #[test]
    fn parts_are_few_enough_and_small_enough() {
        assert_eq!(part_bytes(9 << 20), Some(8 << 20));
        assert_eq!(part_bytes(80_000 << 20), Some(8 << 20));
        assert_eq!(part_bytes((80_000 << 20) + 1), Some(9 << 20));
        let terabyte = part_bytes(1 << 40).unwrap();
        assert!((1u64 << 40).div_ceil(terabyte) <= PARTS);
        assert_eq!(part_bytes(6 << 40), None);
    }
}
