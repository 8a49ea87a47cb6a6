//! A file that is brought to its place while it is being made: what follows its beginning comes first, piece by
//! piece; the beginning, which tells where everything is, comes last.

use std::io::{self, Write};

use super::{Delivered, StoreError};

/// How large a file may become, so that its place can be laid out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expected {
    /// Bytes after the beginning, at most.
    pub bytes: u64,
    /// Bytes of the beginning, at most.
    pub beginning_bytes: u64,
    /// What is left free of a disk, in bytes.
    pub spare_bytes: u64,
}

/// The beginning of a file, made when everything after it is known.
pub trait Beginning {
    /// Its least length in bytes. It can be longer by 8 bytes and more.
    fn least_bytes(&self) -> u64;

    /// Writes it with exactly this length.
    fn write(&mut self, length: u64, out: &mut dyn Write) -> io::Result<()>;
}

/// A file on its way. Dropped before its completion it leaves nothing under its name.
pub trait GrowingFile {
    /// Takes the next bytes.
    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError>;

    /// Puts the beginning in front; then the file is there under its name.
    fn complete(self: Box<Self>, beginning: &mut dyn Beginning) -> Result<Delivered, StoreError>;
}

/// The length of a beginning that fills up whole blocks of so many bytes.
pub(super) fn whole_blocks(least: u64, block: u64) -> u64 {
    let length = least.next_multiple_of(block);
    // What is left is filled by a box, whose header alone takes 8 bytes.
    if length != least && length - least < 8 { length + block } else { length }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_block_holds_a_box_or_nothing() {
        for (least, length) in [(4096, 4096), (4088, 4096), (4089, 8192), (4095, 8192), (4097, 8192), (1, 4096)] {
            assert_eq!(whole_blocks(least, 4096), length, "{least}");
        }
    }
}
