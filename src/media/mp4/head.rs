//! Boxes whose size is known before they are written, so that tables can be copied from the disk.

use std::io::Write;

use mp4_atom::Encode;

use super::error::Mp4Error;
use super::table::Table;

/// Size and type of a box (ISO/IEC 14496-12, 4.2).
const HEADER: u64 = 8;

/// One or more boxes.
#[derive(Debug, Default)]
pub(super) struct Boxes<'a> {
    pieces: Vec<Piece<'a>>,
    bytes: u64,
}

#[derive(Debug)]
enum Piece<'a> {
    Bytes(Vec<u8>),
    Rows(&'a Table),
    /// Rows of eight bytes, relative to the media, that are written as places in the file.
    Places {
        table: &'a Table,
        width: OffsetWidth,
    },
}

/// How chunks' places are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OffsetWidth {
    /// stco, four bytes.
    Narrow,
    /// co64, eight bytes.
    Wide,
}

impl<'a> Boxes<'a> {
    /// A box that holds boxes.
    pub fn container(kind: &[u8; 4], children: impl IntoIterator<Item = Boxes<'a>>) -> Result<Self, Mp4Error> {
        let mut all = Boxes::raw(Vec::new());
        for child in children {
            all.append(child);
        }
        all.enclosed(kind)
    }

    /// A box, or the fields of one, as the library encodes it.
    pub fn encoded(atom: &impl Encode) -> Result<Self, Mp4Error> {
        let mut bytes = Vec::new();
        atom.encode(&mut bytes)?;
        Ok(Boxes::raw(bytes))
    }

    /// Bytes that are boxes already, or the fields of one before its boxes.
    pub fn raw(bytes: Vec<u8>) -> Self {
        Boxes { bytes: bytes.len() as u64, pieces: vec![Piece::Bytes(bytes)] }
    }

    /// A full box (version 0, no flags) of 32-bit fields and a table's rows.
    pub fn table(kind: &[u8; 4], fields: &[u32], rows: &'a Table) -> Result<Self, Mp4Error> {
        let mut all = full_box_fields(fields);
        all.bytes += rows.bytes();
        all.pieces.push(Piece::Rows(rows));
        all.enclosed(kind)
    }

    /// stco or co64 (8.7.5).
    pub fn chunk_offsets(table: &'a Table, width: OffsetWidth) -> Result<Self, Mp4Error> {
        let mut all = full_box_fields(&[table.rows()]);
        let (kind, bytes) = match width {
            OffsetWidth::Narrow => (b"stco", table.bytes() / 2),
            OffsetWidth::Wide => (b"co64", table.bytes()),
        };
        all.bytes += bytes;
        all.pieces.push(Piece::Places { table, width });
        all.enclosed(kind)
    }

    /// Adds boxes that follow these.
    pub fn append(&mut self, mut next: Boxes<'a>) {
        self.bytes += next.bytes;
        self.pieces.append(&mut next.pieces);
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A box of this type around all of it.
    pub fn enclosed(mut self, kind: &[u8; 4]) -> Result<Self, Mp4Error> {
        self.bytes += HEADER;
        let size = u32::try_from(self.bytes).map_err(|_| Mp4Error::TooLarge("the index"))?;
        self.pieces.insert(0, Piece::Bytes([size.to_be_bytes(), *kind].concat()));
        Ok(self)
    }

    /// Writes exactly [`bytes`](Boxes::bytes) bytes; the media begins at byte `media` of the file.
    pub fn write(&self, media: u64, out: &mut dyn Write) -> Result<(), Mp4Error> {
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(bytes) => put(out, bytes)?,
                Piece::Rows(table) => table.read(&mut |rows| put(out, rows))?,
                Piece::Places { table, width } => {
                    table.read(&mut |rows| put(out, &places(rows, media, *width)?))?;
                }
            }
        }
        Ok(())
    }
}

fn full_box_fields<'a>(fields: &[u32]) -> Boxes<'a> {
    let version_and_flags = 0;
    Boxes::raw([version_and_flags].iter().chain(fields).copied().flat_map(u32::to_be_bytes).collect())
}

pub(super) fn put(out: &mut dyn Write, bytes: &[u8]) -> Result<(), Mp4Error> {
    out.write_all(bytes).map_err(Mp4Error::io("write the head of the MP4"))
}

/// Rows relative to the media as places in the file.
fn places(rows: &[u8], media: u64, width: OffsetWidth) -> Result<Vec<u8>, Mp4Error> {
    let mut places = Vec::with_capacity(rows.len());
    for row in rows.as_chunks().0 {
        let place = u64::from_be_bytes(*row).checked_add(media).ok_or(Mp4Error::TooLarge("the media"))?;
        match width {
            OffsetWidth::Wide => places.extend(place.to_be_bytes()),
            OffsetWidth::Narrow => {
                let place = u32::try_from(place).map_err(|_| Mp4Error::TooLarge("the media"))?;
                places.extend(place.to_be_bytes());
            }
        }
    }
    Ok(places)
}
