//! An object that goes up while it is being made, in parts of one size. The numbers in front are kept free for its
//! beginning, which goes up last; what of them is not needed stays out of the object.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aws_sdk_s3::types::CompletedPart;

use super::fault::Fault;
use super::parts::{AT_ONCE, Failed, LARGEST_PART, PART, PARTS, Parts, lasting};
use super::{S3Error, S3Store};
use crate::store::growing::{Beginning, Expected, GrowingFile, whole_blocks};
use crate::store::{Delivered, StoreError};

/// How an object is laid out before anything of it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub part_bytes: u64,
    /// Part numbers that are kept free for the beginning: 1 to this.
    pub front: u64,
}

/// The layout for a file of at most so many bytes. None: no store takes so much.
pub(super) fn layout(expected: Expected) -> Option<Layout> {
    let mut part_bytes = PART;
    while part_bytes <= LARGEST_PART {
        // What is left of the last block may be too little for a box.
        let front = expected.beginning_bytes.div_ceil(part_bytes) + 1;
        if front + expected.bytes.div_ceil(part_bytes) <= PARTS {
            return Some(Layout { part_bytes, front });
        }
        part_bytes += 1 << 20;
    }
    None
}

/// An object on its way.
pub(super) struct S3Growing<'a> {
    store: &'a S3Store<'a>,
    key: String,
    name: String,
    layout: Layout,
    /// None until the first part is full.
    upload: Option<Upload>,
    /// The part that fills up.
    filling: Vec<u8>,
    /// Bytes taken.
    bytes: u64,
}

/// A begun upload in parts.
struct Upload {
    parts: Arc<Parts>,
    /// Parts of an earlier run, by number, with their entity tags.
    there: BTreeMap<i32, String>,
    next: i32,
    sending: VecDeque<JoinHandle<Result<CompletedPart, Failed>>>,
    sent: Vec<CompletedPart>,
}

impl<'a> S3Growing<'a> {
    pub(super) fn begin(store: &'a S3Store<'a>, name: &str, layout: Layout) -> S3Growing<'a> {
        let key = store.destination.key(name);
        S3Growing { store, key, name: name.to_owned(), layout, upload: None, filling: Vec::new(), bytes: 0 }
    }

    /// Sends the part that has filled up.
    fn send_filled(&mut self) -> Result<(), StoreError> {
        let bytes = std::mem::take(&mut self.filling);
        let mut upload = match self.upload.take() {
            Some(upload) => upload,
            None => self.begin_upload()?,
        };
        let sent = upload.send(self.store, upload.next, bytes);
        upload.next += 1;
        self.upload = Some(upload);
        sent
    }

    fn begin_upload(&self) -> Result<Upload, StoreError> {
        let store = self.store;
        let until = self.until();
        store.runtime.block_on(async {
            let (upload_id, there) = match store.uploads.open(&self.key) {
                Some(upload_id) => match store.parts(&self.key, &upload_id).list(until).await {
                    Ok(there) => (upload_id, there),
                    Err(Fault::NoSuchUpload) => (store.begin_upload(&self.key, until).await?, BTreeMap::new()),
                    Err(fault) => return Err(lasting(fault)),
                },
                None => (store.begin_upload(&self.key, until).await?, BTreeMap::new()),
            };
            let parts = Arc::new(store.parts(&self.key, &upload_id));
            let next = self.layout.front as i32 + 1;
            Ok(Upload { parts, there, next, sending: VecDeque::new(), sent: Vec::new() })
        })
    }

    /// Each request has as long as the destination gives to all of an upload: nobody waits for it yet.
    fn until(&self) -> Instant {
        Instant::now() + Duration::from_secs(self.store.destination.deadline_seconds)
    }

    /// One request for what has not filled a part.
    fn put_whole(&self, beginning: &mut dyn Beginning) -> Result<(), StoreError> {
        let mut whole = Vec::new();
        beginning.write(beginning.least_bytes(), &mut whole).map_err(StoreError::Beginning)?;
        whole.extend_from_slice(&self.filling);
        self.store.runtime.block_on(self.store.put(&self.key, whole, self.until()))
    }

    fn complete_upload(&mut self, mut upload: Upload, beginning: &mut dyn Beginning) -> Result<u64, StoreError> {
        if !self.filling.is_empty() {
            let last = std::mem::take(&mut self.filling);
            upload.send(self.store, upload.next, last)?;
        }
        let Layout { part_bytes, front } = self.layout;
        let length = whole_blocks(beginning.least_bytes(), part_bytes);
        let count = length / part_bytes;
        if count > front {
            let said = format!("its beginning needs {count} parts where {front} were kept free");
            return Err(S3Error::Refused { said }.into());
        }
        upload.next = (front - count) as i32 + 1;
        let mut cut = Cut { upload: &mut upload, store: self.store, part_bytes, filling: Vec::new(), failed: None };
        let written = beginning.write(length, &mut cut);
        if let Some(failed) = cut.failed.take() {
            return Err(failed);
        }
        written.map_err(StoreError::Beginning)?;
        upload.wait_for(0)?;
        upload.sent.sort_by_key(|part| part.part_number);
        let size_bytes = length + self.bytes;
        let until = self.until();
        self.store.runtime.block_on(async {
            upload.parts.complete(std::mem::take(&mut upload.sent), size_bytes, until).await?;
            self.store.sweep(&self.key).await;
            self.store.verify(&self.key, size_bytes, until).await
        })?;
        Ok(size_bytes)
    }
}

impl Upload {
    /// Sends a part in the background; waits while too many are on their way.
    fn send(&mut self, store: &S3Store<'_>, number: i32, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.wait_for(AT_ONCE - 1)?;
        let (parts, there) = (Arc::clone(&self.parts), self.there.remove(&number));
        let until = Instant::now() + Duration::from_secs(store.destination.deadline_seconds);
        let handle = store.runtime.handle().clone();
        let send = move || handle.block_on(parts.send(number, bytes, there.as_deref(), until));
        let sending = std::thread::Builder::new().name("part".into()).spawn(send).map_err(S3Error::Runtime)?;
        self.sending.push_back(sending);
        Ok(())
    }

    /// Waits until no more than so many parts are on their way.
    fn wait_for(&mut self, most: usize) -> Result<(), StoreError> {
        while self.sending.len() > most {
            let Some(sending) = self.sending.pop_front() else { break };
            match sending.join() {
                Ok(sent) => self.sent.push(sent?),
                Err(_) => return Err(S3Error::Runtime(io::Error::other("sending a part broke")).into()),
            }
        }
        Ok(())
    }
}

/// Cuts what is written into parts and sends them.
struct Cut<'u, 'a> {
    upload: &'u mut Upload,
    store: &'a S3Store<'a>,
    part_bytes: u64,
    filling: Vec<u8>,
    failed: Option<StoreError>,
}

impl Write for Cut<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.part_bytes as usize - self.filling.len();
        let taken = bytes.len().min(room);
        if self.filling.capacity() == 0 {
            self.filling.reserve_exact(self.part_bytes as usize);
        }
        self.filling.extend_from_slice(&bytes[..taken]);
        if taken == room {
            let part = std::mem::take(&mut self.filling);
            let number = self.upload.next;
            self.upload.next += 1;
            self.upload.send(self.store, number, part).map_err(|error| {
                self.failed = Some(error);
                io::Error::other("a part was not taken")
            })?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl GrowingFile for S3Growing<'_> {
    fn append(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.filling.capacity() == 0 {
                self.filling.reserve_exact(self.layout.part_bytes as usize);
            }
            let room = self.layout.part_bytes as usize - self.filling.len();
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.filling.extend_from_slice(now);
            bytes = later;
            if now.len() == room {
                self.send_filled()?;
            }
        }
        Ok(())
    }

    fn complete(mut self: Box<Self>, beginning: &mut dyn Beginning) -> Result<Delivered, StoreError> {
        let size_bytes = match self.upload.take() {
            None => {
                self.put_whole(beginning)?;
                beginning.least_bytes() + self.bytes
            }
            Some(upload) => self.complete_upload(upload, beginning)?,
        };
        let url = self.store.runtime.block_on(self.store.url(&self.key))?;
        Ok(Delivered { name: self.name.clone(), size_bytes, url, file_id: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_large_enough_for_the_largest_recording() {
        let of = |bytes, beginning_bytes| layout(Expected { bytes, beginning_bytes, spare_bytes: 0 });
        // Six hours of 8 Mbit/s.
        assert_eq!(of(21_600_000_000, 20 << 20), Some(Layout { part_bytes: PART, front: 4 }));
        // 72 hours of 40 Mbit/s.
        let largest = of(1_296_000_000_000, 200 << 20).unwrap();
        assert!(largest.part_bytes < 160 << 20, "{largest:?}");
        assert!(largest.front + 1_296_000_000_000u64.div_ceil(largest.part_bytes) <= PARTS);
        assert_eq!(of(6 << 40, 200 << 20), None);
    }
}
