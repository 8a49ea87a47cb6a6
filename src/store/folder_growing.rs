//! A file that grows in a folder under a hidden name. Its beginning is put in front without moving the rest, where
//! the file system can do that (ext4, XFS); else it is copied once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

use super::folder::{FolderStore, refused};
use super::growing::{Beginning, GrowingFile, whole_blocks};
use super::{Delivered, Store, StoreError};

const BUFFER: usize = 256 << 10;
/// After so many bytes it is looked at how much of the disk is free.
const LOOK: u64 = 8 << 20;

/// A file on its way to a folder.
pub(super) struct FolderGrowing<'a> {
    store: &'a FolderStore,
    name: String,
    hidden: PathBuf,
    out: BufWriter<File>,
    /// Bytes taken, and how many of them when the disk was looked at last.
    bytes: u64,
    looked: u64,
    spare_bytes: u64,
}

impl FolderGrowing<'_> {
    pub(super) fn begin<'a>(
        store: &'a FolderStore,
        nursery: &Path,
        name: &str,
        spare_bytes: u64,
    ) -> Result<FolderGrowing<'a>, StoreError> {
        let hidden = nursery.join(format!(".{name}.growing"));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&hidden);
        let file = file.map_err(|error| refused(&hidden, 0, error))?;
        let out = BufWriter::with_capacity(BUFFER, file);
        let growing = FolderGrowing { store, name: name.to_owned(), hidden, out, bytes: 0, looked: 0, spare_bytes };
        growing.check_room()?;
        Ok(growing)
    }

    fn check_room(&self) -> Result<(), StoreError> {
        let room = rustix::fs::statvfs(&self.hidden).map_or(u64::MAX, |fs| fs.f_bavail.saturating_mul(fs.f_frsize));
        if room >= self.spare_bytes {
            return Ok(());
        }
        Err(StoreError::Full { path: self.hidden.clone(), size_bytes: self.bytes })
    }

    /// Puts the beginning in front of what is there; false where the file system cannot.
    fn insert(&mut self, beginning: &mut dyn Beginning) -> io::Result<bool> {
        let file = self.out.get_mut();
        // What can be inserted are whole blocks of the file system.
        let block = rustix::fs::fstatvfs(&*file)?.f_bsize.max(512);
        let length = whole_blocks(beginning.least_bytes(), block);
        if rustix::fs::fallocate(&*file, FallocateFlags::INSERT_RANGE, 0, length).is_err() {
            return Ok(false);
        }
        file.seek(SeekFrom::Start(0))?;
        let mut front = BufWriter::with_capacity(BUFFER, file);
        beginning.write(length, &mut front)?;
        front.flush()?;
        Ok(true)
    }

    /// Writes beginning and all anew.
    fn copy(&mut self, beginning: &mut dyn Beginning) -> io::Result<()> {
        let whole = self.hidden.with_extension("whole");
        let copied = (|| {
            let mut out = BufWriter::with_capacity(BUFFER, File::create(&whole)?);
            beginning.write(beginning.least_bytes(), &mut out)?;
            let mut copy = out.into_inner()?;
            let file = self.out.get_mut();
            file.seek(SeekFrom::Start(0))?;
            io::copy(file, &mut copy)?;
            copy.sync_all()?;
            fs::rename(&whole, &self.hidden)
        })();
        if copied.is_err() {
            let _ = fs::remove_file(&whole);
        }
        copied
    }

    fn finish(&mut self, beginning: &mut dyn Beginning) -> io::Result<()> {
        self.out.flush()?;
        match self.insert(beginning)? {
            true => self.out.get_ref().sync_all()?,
            false => self.copy(beginning)?,
        }
        Ok(())
    }
}

impl GrowingFile for FolderGrowing<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.bytes += bytes.len() as u64;
        if self.bytes - self.looked >= LOOK {
            self.looked = self.bytes;
            self.check_room()?;
        }
        self.out.write_all(bytes).map_err(|error| refused(&self.hidden, self.bytes, error))
    }

    fn complete(mut self: Box<Self>, beginning: &mut dyn Beginning) -> Result<Delivered, StoreError> {
        self.finish(beginning).map_err(|error| refused(&self.hidden, self.bytes, error))?;
        self.store.deliver(&self.hidden, &self.name, &mut |_| {})
    }
}

impl Drop for FolderGrowing<'_> {
    fn drop(&mut self) {
        // Not there once it has its name.
        let _ = fs::remove_file(&self.hidden);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Letters;

    impl Beginning for Letters {
        fn least_bytes(&self) -> u64 {
            10
        }

        fn write(&mut self, length: u64, out: &mut dyn Write) -> io::Result<()> {
            out.write_all(&vec![b'a'; length as usize])
        }
    }

    #[test]
    fn the_beginning_stands_in_front() {
        let folder = tempfile::tempdir().unwrap();
        let rest: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
        let store = FolderStore::new(folder.path(), folder.path());
        let mut growing = Box::new(FolderGrowing::begin(&store, folder.path(), "a.mp4", 0).unwrap());
        for piece in rest.chunks(70_001) {
            growing.append(piece).unwrap();
        }
        let delivered = growing.complete(&mut Letters).unwrap();
        let whole = fs::read(folder.path().join("a.mp4")).unwrap();
        assert_eq!(delivered.size_bytes, whole.len() as u64);
        let (front, back) = whole.split_at(whole.len() - rest.len());
        assert!(front.len() >= 10 && front.iter().all(|byte| *byte == b'a') && back == rest);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn where_no_range_can_be_inserted_it_is_copied() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::new(folder.path(), folder.path());
        let mut growing = FolderGrowing::begin(&store, folder.path(), "a.mp4", 0).unwrap();
        growing.append(b"rest").unwrap();
        growing.out.flush().unwrap();
        growing.copy(&mut Letters).unwrap();
        assert_eq!(fs::read(&growing.hidden).unwrap(), b"aaaaaaaaaarest");
        drop(growing);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
