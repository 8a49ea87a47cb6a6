//! One file into one object: at once where it is small, else in parts of one size, two on their way at a time.
//! An upload that was begun before goes on with the parts that are there.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_sdk_s3::types::CompletedPart;
use futures::{StreamExt, TryStreamExt};

use super::fault::Fault;
use super::parts::{AT_ONCE, Failed, LARGEST_PART, PART, PARTS, Parts, lasting};
use super::{S3Error, S3Store};
use crate::store::StoreError;

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
        store.put(key, sending.read(0, size_bytes)?, until).await?;
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
    async fn in_parts(&self, sent: &mut dyn FnMut(u64)) -> Result<(), StoreError> {
        let part_bytes = part_bytes(self.size_bytes).ok_or(S3Error::TooLarge { size_bytes: self.size_bytes })?;
        let Sending { store, key, size_bytes, until, .. } = *self;
        for _ in 0..BEGINNINGS {
            let (parts, there) = match store.uploads.open(key) {
                Some(upload_id) => {
                    let parts = store.parts(key, &upload_id);
                    match parts.list(until).await {
                        Ok(there) => (parts, there),
                        Err(Fault::NoSuchUpload) => self.begin().await?,
                        Err(fault) => return Err(lasting(fault)),
                    }
                }
                None => self.begin().await?,
            };
            match self.send_parts(&parts, part_bytes, &there, sent).await {
                Ok(()) => {
                    store.sweep(key).await;
                    return store.verify(key, size_bytes, until).await;
                }
                Err(Failed::Upload(Fault::NoSuchUpload)) => {}
                Err(failed) => return Err(failed.into()),
            }
        }
        let said = "it lost the upload again and again".to_owned();
        Err(S3Error::Refused { said }.into())
    }

    async fn begin(&self) -> Result<(Parts, BTreeMap<i32, String>), StoreError> {
        let upload_id = self.store.begin_upload(self.key, self.until).await?;
        Ok((self.store.parts(self.key, &upload_id), BTreeMap::new()))
    }

    async fn send_parts(
        &self,
        parts: &Parts,
        part_bytes: u64,
        there: &BTreeMap<i32, String>,
        sent: &mut dyn FnMut(u64),
    ) -> Result<(), Failed> {
        let count = self.size_bytes.div_ceil(part_bytes) as i32;
        let mut all = Vec::new();
        let mut bytes_sent = 0;
        let mut sending = futures::stream::iter(1..=count)
            .map(|number| self.send_part(parts, number, part_bytes, there.get(&number).map(String::as_str)))
            .buffered(AT_ONCE);
        while let Some((part, bytes)) = sending.try_next().await? {
            bytes_sent += bytes;
            sent(bytes_sent);
            all.push(part);
        }
        parts.complete(all, self.size_bytes, self.until).await
    }

    async fn send_part(
        &self,
        parts: &Parts,
        number: i32,
        part_bytes: u64,
        there: Option<&str>,
    ) -> Result<(CompletedPart, u64), Failed> {
        let offset = (number as u64 - 1) * part_bytes;
        let length = part_bytes.min(self.size_bytes - offset);
        let bytes = self.read(offset, length).map_err(Failed::Read)?;
        Ok((parts.send(number, bytes, there, self.until).await?, length))
    }

    fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; length as usize];
        let read = self.file.read_exact_at(&mut bytes, offset);
        read.map_err(|source| StoreError::Read { path: self.path.to_owned(), source })?;
        Ok(bytes)
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
