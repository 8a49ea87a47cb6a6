//! Object stores with the S3 interface: AWS, MinIO, Ceph, R2, GCS, COS and OSS by one way of speaking.
//! Nothing is sent that one of them refuses: no streamed bodies, no checksum trailers, parts of one size from
//! memory, an explicit Content-Type. Each part goes with its MD5, which every store checks.

mod attributes;
mod client;
mod cos;
mod fault;
mod growing;
mod object;
mod parts;
mod persist;
mod small;
mod upload;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;

use super::growing::{Expected, GrowingFile};
use super::keys::Keys;
use super::{Delivered, Store, StoreError, Uploads};
use crate::egress::Resolver;
use crate::session::request::{Link, S3Destination};

use fault::Fault;
use growing::{S3Growing, layout};
use persist::late;

pub use fault::S3Error;
pub use small::{Listed, Notes, Small};

/// A look at the bucket before anything is recorded may take so long.
const CHECK: Duration = Duration::from_secs(15);

/// Delivers into a bucket.
pub struct S3Store<'a> {
    destination: Arc<S3Destination>,
    rights: Rights,
    uploads: Box<dyn Uploads + 'a>,
    client: Client,
    runtime: tokio::runtime::Runtime,
}

/// What the keys are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rights {
    /// Whoever named the bucket gave them.
    Whole,
    /// They are for uploading: a look at what is there may be refused.
    Upload,
}

impl<'a> S3Store<'a> {
    /// Not to be called, nor used, in an async context: it waits.
    ///
    /// # Errors
    /// Credentials that are not there, or that cannot be read; no region; an address that may not be reached.
    pub fn new(
        destination: &S3Destination,
        uploads: Box<dyn Uploads + 'a>,
        resolver: &Resolver,
    ) -> Result<S3Store<'a>, S3Error> {
        S3Store::open(destination.clone(), uploads, Rights::Whole, None, resolver)
    }

    /// With keys that are good for uploading to somebody else's bucket, whatever the destination says of keys.
    pub(super) fn with_keys(
        destination: S3Destination,
        uploads: Box<dyn Uploads + 'a>,
        keys: Keys,
        resolver: &Resolver,
    ) -> Result<S3Store<'a>, S3Error> {
        S3Store::open(destination, uploads, Rights::Upload, Some(keys), resolver)
    }

    fn open(
        destination: S3Destination,
        uploads: Box<dyn Uploads + 'a>,
        rights: Rights,
        keys: Option<Keys>,
        resolver: &Resolver,
    ) -> Result<S3Store<'a>, S3Error> {
        // A thread of its own: parts are on their way while others are being made.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(S3Error::Runtime)?;
        let client = runtime.block_on(client::client(&destination, keys, resolver))?;
        Ok(S3Store { destination: Arc::new(destination), rights, uploads, client, runtime })
    }

    /// Sends a file to a key given as a whole; its size in bytes.
    pub(super) fn send(&self, file: &Path, key: &str, sent: &mut dyn FnMut(u64)) -> Result<u64, StoreError> {
        self.runtime.block_on(upload::upload(self, file, key, sent))
    }

    /// Whether the bucket is there and these credentials may use it.
    pub fn check(&self) -> Result<(), S3Error> {
        let bucket = self.destination.bucket.as_str();
        let asked = async { self.client.head_bucket().bucket(bucket).send().await };
        self.runtime.block_on(async {
            let answer =
                tokio::time::timeout(CHECK, asked).await.map_err(|_| late(&self.destination, CHECK, "no answer"))?;
            match answer.map_err(|error| Fault::of(error, &self.destination)) {
                Ok(_) => Ok(()),
                Err(Fault::Permanent(error)) => Err(error),
                Err(Fault::Transient(said)) => Err(late(&self.destination, CHECK, &said)),
                Err(Fault::NoSuchUpload) => Ok(()),
            }
        })
    }

    /// The URL of a key, as the destination wants it.
    async fn url(&self, key: &str) -> Result<Option<String>, S3Error> {
        let Link::Presigned { seconds } = self.destination.link else {
            return Ok(self.destination.url(key).map(String::from));
        };
        let config = PresigningConfig::expires_in(Duration::from_secs(u64::from(seconds)));
        let config = config.map_err(|error| S3Error::Presigning(error.to_string()))?;
        let request = self.client.get_object().bucket(self.destination.bucket.as_str()).key(key);
        let signed = request.presigned(config).await;
        let signed = signed.map_err(|error| match Fault::of(error, &self.destination) {
            Fault::Permanent(error) => error,
            Fault::Transient(said) => S3Error::Presigning(said),
            Fault::NoSuchUpload => S3Error::Presigning("no such upload".to_owned()),
        })?;
        Ok(Some(signed.uri().to_owned()))
    }
}

impl Store for S3Store<'_> {
    fn deliver(&self, file: &Path, name: &str, sent: &mut dyn FnMut(u64)) -> Result<Delivered, StoreError> {
        self.runtime.block_on(async {
            let key = self.destination.key(name);
            let size_bytes = upload::upload(self, file, &key, sent).await?;
            let url = self.url(&key).await?;
            Ok(Delivered { name: name.to_owned(), size_bytes, url, file_id: None })
        })
    }

    fn grow<'s>(&'s self, name: &str, expected: Expected) -> Result<Box<dyn GrowingFile + 's>, StoreError> {
        let layout = layout(expected).ok_or(S3Error::TooLarge { size_bytes: expected.bytes })?;
        Ok(Box::new(S3Growing::begin(self, name, layout)))
    }
}
