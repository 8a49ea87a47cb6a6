//! A table of the head, which grows row by row: the last rows in memory, the others in a file without a name.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::error::Mp4Error;

/// Bytes of rows kept in memory; rows of 4, 8 and 12 bytes fill it exactly, so that it holds whole rows.
const ROOM: usize = 24 * 2730;

/// Rows of one length, as they stand in the file.
#[derive(Debug)]
pub(super) struct Table {
    folder: PathBuf,
    /// What is not in the file.
    tail: Vec<u8>,
    file: Option<File>,
    spilled: u64,
    rows: u32,
}

impl Table {
    /// An empty table. The folder must be there once the rows outgrow memory.
    pub fn new(folder: &Path) -> Table {
        Table { folder: folder.to_owned(), tail: Vec::new(), file: None, spilled: 0, rows: 0 }
    }

    /// Adds a row of one, two or three numbers.
    pub fn push<const FIELDS: usize>(&mut self, fields: [u32; FIELDS]) -> Result<(), Mp4Error> {
        self.add(fields.map(u32::to_be_bytes).as_flattened())
    }

    /// Adds a row of one long number.
    pub fn push_long(&mut self, number: u64) -> Result<(), Mp4Error> {
        self.add(&number.to_be_bytes())
    }

    fn add(&mut self, row: &[u8]) -> Result<(), Mp4Error> {
        debug_assert!(ROOM.is_multiple_of(row.len()));
        self.rows = self.rows.checked_add(1).ok_or(Mp4Error::TooLarge("a sample table"))?;
        self.tail.extend_from_slice(row);
        if self.tail.len() >= ROOM {
            self.spill().map_err(Mp4Error::io("write the sample tables to the disk"))?;
        }
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.folder)?),
        };
        file.write_all(&self.tail)?;
        self.spilled += self.tail.len() as u64;
        self.tail.clear();
        Ok(())
    }

    pub fn rows(&self) -> u32 {
        self.rows
    }

    pub fn bytes(&self) -> u64 {
        self.spilled + self.tail.len() as u64
    }

    /// Gives all rows in order, in blocks of whole rows.
    pub fn read(&self, take: &mut dyn FnMut(&[u8]) -> Result<(), Mp4Error>) -> Result<(), Mp4Error> {
        if let Some(file) = &self.file {
            let mut block = vec![0; ROOM];
            let mut at = 0;
            while at < self.spilled {
                file.read_exact_at(&mut block, at).map_err(Mp4Error::io("read the sample tables from the disk"))?;
                take(&block)?;
                at += block.len() as u64;
            }
        }
        take(&self.tail)
    }
}
