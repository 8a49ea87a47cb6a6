//! Object stores with the S3 interface: AWS, MinIO, Ceph, R2, GCS, COS and OSS by one way of speaking.
//! Nothing is sent that one of them refuses: no streamed bodies, no checksum trailers, parts of one size from
//! memory, an explicit Content-Type. Each part goes with its MD5, which every store checks.

mod client;
mod fault;
mod upload;

use std::path::Path;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;
use backon::{BackoffBuilder, ExponentialBuilder};

use super::{Delivered, Store, StoreError, Uploads};
use crate::session::request::{Link, S3Destination};
use fault::Fault;
pub use fault::S3Error;

/// The pauses between tries; the SDK has shorter ones of its own before.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
/// A look at the bucket before anything is recorded may take so long.
const CHECK: Duration = Duration::from_secs(15);

/// Delivers into a bucket.
pub struct S3Store<'a> {
    destination: &'a S3Destination,
    uploads: &'a dyn Uploads,
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl<'a> S3Store<'a> {
    /// Not to be called, nor used, in an async context: it waits.
    ///
    /// # Errors
    /// Credentials that are not there, or that cannot be read; no region.
    pub fn new(destination: &'a S3Destination, uploads: &'a dyn Uploads) -> Result<S3Store<'a>, S3Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(S3Error::Runtime)?;
        let client = runtime.block_on(client::client(destination))?;
        Ok(S3Store { destination, uploads, client, runtime })
    }

    /// Whether the bucket is there and these credentials may use it.
    pub fn check(&self) -> Result<(), S3Error> {
        let bucket = self.destination.bucket.as_str();
        let asked = async { self.client.head_bucket().bucket(bucket).send().await };
        self.runtime.block_on(async {
            let answer = tokio::time::timeout(CHECK, asked).await.map_err(|_| self.late(CHECK, "no answer"))?;
            match answer.map_err(|error| Fault::of(error, self.destination)) {
                Ok(_) => Ok(()),
                Err(Fault::Permanent(error)) => Err(error),
                Err(Fault::Transient(said)) => Err(self.late(CHECK, &said)),
                Err(Fault::NoSuchUpload) => Ok(()),
            }
        })
    }

    fn late(&self, after: Duration, said: &str) -> S3Error {
        let store = self.destination.endpoint.as_ref().map_or("S3".to_owned(), ToString::to_string);
        S3Error::Unreachable { store, seconds: after.as_secs(), said: said.to_owned() }
    }

    /// Tries until it succeeds, fails for good or is too late.
    async fn persist<T>(&self, until: Instant, attempt: impl AsyncFn() -> Result<T, Fault>) -> Result<T, Fault> {
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(PAUSES.0)
            .with_max_delay(PAUSES.1)
            .with_jitter()
            .without_max_times()
            .build();
        let mut said = "no answer in time".to_owned();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, attempt()).await {
                Ok(Err(Fault::Transient(now))) => said = now,
                Ok(other) => return other,
                // What was said before is more than nothing.
                Err(_) => {}
            }
            let pause = pauses.next().unwrap_or(PAUSES.1);
            if left <= pause {
                let all = Duration::from_secs(self.destination.deadline_seconds);
                return Err(Fault::Permanent(self.late(all, &said)));
            }
            tracing::warn!(said, "the store did not take it; it is tried again");
            tokio::time::sleep(pause).await;
        }
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
        let signed = signed.map_err(|error| match Fault::of(error, self.destination) {
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
            Ok(Delivered { name: name.to_owned(), size_bytes, url })
        })
    }
}
