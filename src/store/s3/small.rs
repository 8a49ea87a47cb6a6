//! Small objects beneath a destination's prefix: put, looked for, read back and removed by their names.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};

use super::fault::Fault;
use super::object::{There, there};
use super::parts::lasting;
use super::persist::persist;
use super::{Rights, S3Error, S3Store};
use crate::store::StoreError;

/// What is read of one object, in bytes: more than anything that is put here.
const LARGEST: i64 = 64 << 20;
/// So many are removed at a time.
const AT_ONCE: usize = 16;

/// An object as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key without the destination's prefix.
    pub name: String,
    pub size_bytes: u64,
}

/// What goes with an object, by name.
pub type Notes = Vec<(&'static str, String)>;

/// An object as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Small {
    pub bytes: Vec<u8>,
    /// What was noted with it, by name.
    pub notes: HashMap<String, String>,
}

impl S3Store<'_> {
    /// Puts an object, in place of one that is there. A store that fails is tried again for so long.
    pub fn put_small(&self, name: &str, bytes: Vec<u8>, notes: &Notes, within: Duration) -> Result<(), StoreError> {
        let until = Instant::now() + within;
        self.runtime.block_on(self.put_once(&self.destination.key(name), bytes, notes, until))
    }

    /// Whether an object is there.
    pub fn has(&self, name: &str, within: Duration) -> Result<bool, StoreError> {
        let until = Instant::now() + within;
        let key = self.destination.key(name);
        let found = self.runtime.block_on(there(&self.client, &self.destination, Rights::Whole, &key, until))?;
        Ok(matches!(found, There::Bytes(_)))
    }

    /// What was noted with an object; None where nothing of this name was.
    pub fn note(&self, name: &str, note: &str, within: Duration) -> Result<Option<String>, StoreError> {
        let until = Instant::now() + within;
        let (bucket, key) = (self.destination.bucket.as_str(), self.destination.key(name));
        let head = async || {
            let request = self.client.head_object().bucket(bucket).key(&key);
            request.send().await.map_err(|error| Fault::of(error, &self.destination))
        };
        let head = self.runtime.block_on(persist(&self.destination, until, head)).map_err(lasting)?;
        Ok(head.metadata.and_then(|mut notes| notes.remove(note)))
    }

    /// Reads an object, and what was noted with it.
    pub fn read(&self, name: &str, within: Duration) -> Result<Small, StoreError> {
        let until = Instant::now() + within;
        let (bucket, key) = (self.destination.bucket.as_str(), self.destination.key(name));
        let get = async || {
            let request = self.client.get_object().bucket(bucket).key(&key);
            let found = request.send().await.map_err(|error| Fault::of(error, &self.destination))?;
            if let Some(size) = found.content_length.filter(|size| *size > LARGEST) {
                return Err(Fault::Permanent(S3Error::TooLarge { size_bytes: size as u64 }));
            }
            let body = found.body.collect().await.map_err(|error| Fault::Transient(error.to_string()))?;
            Ok(Small { bytes: body.to_vec(), notes: found.metadata.unwrap_or_default() })
        };
        self.runtime.block_on(persist(&self.destination, until, get)).map_err(lasting)
    }

    /// All objects beneath the prefix, by name in ascending order.
    pub fn list(&self, within: Duration) -> Result<Vec<Listed>, StoreError> {
        let until = Instant::now() + within;
        let (bucket, beneath) = (self.destination.bucket.as_str(), self.destination.key(""));
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = async || {
                let request = self.client.list_objects_v2().bucket(bucket).prefix(&beneath);
                let request = request.set_continuation_token(token.clone());
                request.send().await.map_err(|error| Fault::of(error, &self.destination))
            };
            let page = self.runtime.block_on(persist(&self.destination, until, page)).map_err(lasting)?;
            for object in page.contents.into_iter().flatten() {
                let name = object.key.as_deref().and_then(|key| key.strip_prefix(&beneath)).map(str::to_owned);
                let size_bytes = object.size.unwrap_or(0).max(0) as u64;
                all.extend(name.map(|name| Listed { name, size_bytes }));
            }
            token = page.next_continuation_token;
            if page.is_truncated != Some(true) || token.is_none() {
                all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
                return Ok(all);
            }
        }
    }

    /// Removes objects, one by one: not every store takes several at once.
    pub fn remove(&self, names: &[String], within: Duration) -> Result<(), StoreError> {
        let until = Instant::now() + within;
        let bucket = self.destination.bucket.as_str();
        let remove = async |name: &String| {
            let key = self.destination.key(name);
            let delete = async || {
                let request = self.client.delete_object().bucket(bucket).key(&key);
                request.send().await.map_err(|error| Fault::of(error, &self.destination))
            };
            persist(&self.destination, until, delete).await.map(drop).map_err(lasting)
        };
        let all = futures::stream::iter(names).map(remove).buffer_unordered(AT_ONCE);
        self.runtime.block_on(all.try_collect())
    }
}
