//! Single requests about an object: putting it at once, beginning and clearing up uploads, looking at what is there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

use super::attributes::About;
use super::fault::Fault;
use super::parts::{Parts, lasting};
use super::persist::persist;
use super::small::Notes;
use super::{Rights, S3Error, S3Store};
use crate::session::request::S3Destination;
use crate::store::StoreError;

/// A look for uploads that were left behind may take so long.
const SWEEP: Duration = Duration::from_secs(15);

impl S3Store<'_> {
    /// Puts an object by one request, and looks whether it has come whole.
    pub(super) async fn put(&self, key: &str, bytes: Vec<u8>, until: Instant) -> Result<(), StoreError> {
        let size_bytes = bytes.len() as u64;
        self.put_once(key, bytes, &Notes::new(), until).await?;
        self.verify(key, size_bytes, until).await
    }

    /// Puts an object by one request, with metadata beyond what the destination says.
    pub(super) async fn put_once(
        &self,
        key: &str,
        bytes: Vec<u8>,
        notes: &Notes,
        until: Instant,
    ) -> Result<(), StoreError> {
        let digest = STANDARD.encode(Md5::digest(&bytes));
        let bytes = bytes::Bytes::from(bytes);
        let S3Store { client, destination, .. } = self;
        let put = async || {
            let about = About::of(destination, key).with(notes);
            let request = client
                .put_object()
                .bucket(destination.bucket.as_str())
                .key(key)
                .content_type(about.content_type)
                .set_storage_class(about.storage_class)
                .set_metadata(about.metadata)
                .set_tagging(about.tagging)
                .set_server_side_encryption(about.encryption)
                .set_ssekms_key_id(about.kms_key_id)
                .content_md5(&digest)
                .body(ByteStream::from(bytes.clone()));
            request.send().await.map_err(|error| Fault::of(error, destination))
        };
        persist(destination, until, put).await.map(drop).map_err(lasting)
    }

    /// Begins an upload, and writes that down before anything is sent.
    pub(super) async fn begin_upload(&self, key: &str, until: Instant) -> Result<String, StoreError> {
        let S3Store { client, destination, .. } = self;
        let create = async || {
            let about = About::of(destination, key);
            let request = client
                .create_multipart_upload()
                .bucket(destination.bucket.as_str())
                .key(key)
                .content_type(about.content_type)
                .set_storage_class(about.storage_class)
                .set_metadata(about.metadata)
                .set_tagging(about.tagging)
                .set_server_side_encryption(about.encryption)
                .set_ssekms_key_id(about.kms_key_id);
            request.send().await.map_err(|error| Fault::of(error, destination))
        };
        let created = persist(destination, until, create).await.map_err(lasting)?;
        let said = "it gives no upload id".to_owned();
        let upload_id = created.upload_id.ok_or(S3Error::Refused { said })?;
        if let Err(error) = self.uploads.begun(key, &upload_id) {
            self.try_abort(key, &upload_id).await;
            return Err(error);
        }
        Ok(upload_id)
    }

    /// An upload that was begun.
    pub(super) fn parts(&self, key: &str, upload_id: &str) -> Parts {
        Parts {
            client: self.client.clone(),
            destination: Arc::clone(&self.destination),
            rights: self.rights,
            key: key.to_owned(),
            upload_id: upload_id.to_owned(),
        }
    }

    /// Looks whether the object has come whole.
    pub(super) async fn verify(&self, key: &str, size_bytes: u64, until: Instant) -> Result<(), StoreError> {
        match there(&self.client, &self.destination, self.rights, key, until).await? {
            There::Bytes(there) if there == size_bytes as i64 => Ok(()),
            // It has taken all of it, by its MD5.
            There::Hidden => Ok(()),
            there => {
                let there = if let There::Bytes(there) = there { there } else { 0 };
                Err(S3Error::Differs { key: key.to_owned(), there, sent: size_bytes }.into())
            }
        }
    }

    /// Aborts what else was begun of this key: the answer was lost, or panorec ended before it was written
    /// down. The object is there, so a store that does not let us look is none to fail for.
    pub(super) async fn sweep(&self, key: &str) {
        let request = self.client.list_multipart_uploads().bucket(self.destination.bucket.as_str()).prefix(key);
        let open = match tokio::time::timeout(SWEEP, request.send()).await {
            Ok(Ok(open)) => open.uploads.unwrap_or_default(),
            Ok(Err(error)) => return tracing::debug!(%error, "cannot look for uploads that were left behind"),
            Err(_) => return tracing::debug!("no answer to what uploads were left behind"),
        };
        for upload in open.into_iter().filter(|upload| upload.key.as_deref() == Some(key)) {
            if let Some(upload_id) = upload.upload_id {
                self.try_abort(key, &upload_id).await;
            }
        }
    }

    /// Ends an upload, so that nothing of it is left in the store. One that is not there has ended.
    pub fn abort(&self, key: &str, upload_id: &str, within: Duration) -> Result<(), StoreError> {
        let bucket = self.destination.bucket.as_str();
        let abort = async || {
            let request = self.client.abort_multipart_upload().bucket(bucket).key(key).upload_id(upload_id);
            match request.send().await.map_err(|error| Fault::of(error, &self.destination)) {
                Ok(_) | Err(Fault::NoSuchUpload) => Ok(()),
                Err(fault) => Err(fault),
            }
        };
        let until = Instant::now() + within;
        self.runtime.block_on(persist(&self.destination, until, abort)).map_err(lasting)
    }

    /// Nothing of it is left in the store, if the store can be reached.
    async fn try_abort(&self, key: &str, upload_id: &str) {
        let request = self.client.abort_multipart_upload().bucket(self.destination.bucket.as_str()).key(key);
        if let Err(error) = request.upload_id(upload_id).send().await {
            tracing::warn!(%error, key, "an upload that was begun could not be aborted");
        }
    }
}

/// What is under a key.
pub(super) enum There {
    Bytes(i64),
    Nothing,
    /// The keys are not good for a look.
    Hidden,
}

/// Looks what is under a key.
pub(super) async fn there(
    client: &Client,
    destination: &S3Destination,
    rights: Rights,
    key: &str,
    until: Instant,
) -> Result<There, StoreError> {
    let head = async || {
        let request = client.head_object().bucket(destination.bucket.as_str()).key(key);
        match request.send().await {
            Ok(found) => Ok(found.content_length.map_or(There::Nothing, There::Bytes)),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => Ok(There::Nothing),
            Err(error) => match Fault::of(error, destination) {
                Fault::Permanent(S3Error::Denied { .. }) if rights == Rights::Upload => Ok(There::Hidden),
                fault => Err(fault),
            },
        }
    };
    persist(destination, until, head).await.map_err(lasting)
}
