//! EBML, the binary form under Matroska (RFC 8794): element headers in and out.

use std::io::{self, Read};

/// A size of all ones: the element lasts until something that cannot be inside it.
pub const UNKNOWN_SIZE: [u8; 8] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

/// What can be wrong with bytes that should be EBML.
#[derive(Debug, thiserror::Error)]
pub enum EbmlError {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes end inside an element.
    #[error("it ends within an element")]
    Ends,
    #[error("no element begins at byte {at}")]
    BadId { at: u64 },
    #[error("an element at byte {at} has a size that no element has")]
    BadSize { at: u64 },
    #[error("an element at byte {at} is {size} bytes long; at most {limit} are taken")]
    TooLong { at: u64, size: u64, limit: u64 },
}

/// An element's header. `size` None: unknown, see [`UNKNOWN_SIZE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub id: u32,
    pub size: Option<u64>,
    /// Where the element begins, in bytes from the start of the source.
    pub at: u64,
}

/// Reads elements from a stream, front to back, counting bytes.
#[derive(Debug)]
pub struct Source<R> {
    inner: R,
    position: u64,
}

impl<R: Read> Source<R> {
    pub fn new(inner: R) -> Self {
        Source { inner, position: 0 }
    }

    /// Bytes read so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next element's header; None when the stream ends before its first byte.
    pub fn header(&mut self) -> Result<Option<Header>, EbmlError> {
        let at = self.position;
        let Some(first) = self.byte()? else {
            return Ok(None);
        };
        let more = first.leading_zeros();
        if more > 3 {
            return Err(EbmlError::BadId { at });
        }
        let mut id = u32::from(first);
        for _ in 0..more {
            id = id << 8 | u32::from(self.byte()?.ok_or(EbmlError::Ends)?);
        }
        let first = self.byte()?.ok_or(EbmlError::Ends)?;
        let more = first.leading_zeros();
        if more > 7 {
            return Err(EbmlError::BadSize { at });
        }
        let mut size = u64::from(first) & (0x7f >> more);
        for _ in 0..more {
            size = size << 8 | u64::from(self.byte()?.ok_or(EbmlError::Ends)?);
        }
        let size = (size != (1 << (7 * (more + 1))) - 1).then_some(size);
        Ok(Some(Header { id, size, at }))
    }

    /// The body of an element of at most `limit` bytes. Allocates as bytes arrive, not as promised.
    pub fn body(&mut self, header: Header, limit: u64) -> Result<Vec<u8>, EbmlError> {
        let size = header.size.ok_or(EbmlError::BadSize { at: header.at })?;
        if size > limit {
            return Err(EbmlError::TooLong { at: header.at, size, limit });
        }
        let mut body = Vec::new();
        let read = (&mut self.inner).take(size).read_to_end(&mut body)? as u64;
        self.position += read;
        if read < size { Err(EbmlError::Ends) } else { Ok(body) }
    }

    /// Reads over an element's body.
    pub fn skip(&mut self, header: Header) -> Result<(), EbmlError> {
        let size = header.size.ok_or(EbmlError::BadSize { at: header.at })?;
        let read = io::copy(&mut (&mut self.inner).take(size), &mut io::sink())?;
        self.position += read;
        if read < size { Err(EbmlError::Ends) } else { Ok(()) }
    }

    fn byte(&mut self) -> Result<Option<u8>, EbmlError> {
        let mut byte = [0];
        loop {
            match self.inner.read(&mut byte) {
                Ok(0) => return Ok(None),
                Ok(_) => {
                    self.position += 1;
                    return Ok(Some(byte[0]));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The children of an element that is in memory, front to back.
pub fn children(body: &[u8], at: u64) -> impl Iterator<Item = Result<(Header, &[u8]), EbmlError>> + '_ {
    let mut source = Source::new(body);
    let mut failed = false;
    std::iter::from_fn(move || {
        if failed {
            return None;
        }
        let begun = source.position();
        let child = match source.header() {
            Ok(None) => return None,
            Ok(Some(header)) => {
                let header = Header { at: at.saturating_add(begun), ..header };
                let from = source.position() as usize;
                match header.size {
                    None => Err(EbmlError::BadSize { at: header.at }),
                    Some(size) => match source.skip(header) {
                        Ok(()) => Ok((header, &body[from..from + size as usize])),
                        Err(error) => Err(error),
                    },
                }
            }
            Err(error) => Err(error),
        };
        failed = child.is_err();
        Some(child)
    })
}

/// An unsigned integer's body: up to eight bytes, big-endian; empty is 0.
pub fn uint(body: &[u8], at: u64) -> Result<u64, EbmlError> {
    if body.len() > 8 {
        return Err(EbmlError::BadSize { at });
    }
    Ok(body.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// A float's body: four or eight bytes, or none for 0.
pub fn float(body: &[u8], at: u64) -> Result<f64, EbmlError> {
    match body {
        [] => Ok(0.0),
        [a, b, c, d] => Ok(f32::from_be_bytes([*a, *b, *c, *d]).into()),
        [a, b, c, d, e, f, g, h] => Ok(f64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h])),
        _ => Err(EbmlError::BadSize { at }),
    }
}

/// Appends elements to a buffer.
pub trait Put {
    fn put_id(&mut self, id: u32);
    /// A size in the fewest bytes.
    fn put_size(&mut self, size: u64);
    fn put_bytes(&mut self, id: u32, body: &[u8]);
    fn put_uint(&mut self, id: u32, value: u64);
    fn put_float(&mut self, id: u32, value: f64);
    fn put_text(&mut self, id: u32, text: &str) {
        self.put_bytes(id, text.as_bytes());
    }
    /// An element with children.
    fn put_master(&mut self, id: u32, fill: impl FnOnce(&mut Vec<u8>));
    /// A Void element of exactly `length` bytes in all, 2..=128.
    fn put_void(&mut self, length: usize);
}

/// How many bytes [`Put::put_size`] takes.
pub const fn size_length(size: u64) -> u32 {
    let mut length = 1;
    while length < 8 && size >= (1 << (7 * length)) - 1 {
        length += 1;
    }
    length
}

impl Put for Vec<u8> {
    fn put_id(&mut self, id: u32) {
        let skip = id.leading_zeros() as usize / 8;
        self.extend_from_slice(&id.to_be_bytes()[skip..]);
    }

    fn put_size(&mut self, size: u64) {
        let length = size_length(size);
        let marked = size | 1 << (7 * length);
        self.extend_from_slice(&marked.to_be_bytes()[8 - length as usize..]);
    }

    fn put_bytes(&mut self, id: u32, body: &[u8]) {
        self.put_id(id);
        self.put_size(body.len() as u64);
        self.extend_from_slice(body);
    }

    fn put_uint(&mut self, id: u32, value: u64) {
        let skip = (value.leading_zeros() as usize / 8).min(7);
        self.put_bytes(id, &value.to_be_bytes()[skip..]);
    }

    fn put_float(&mut self, id: u32, value: f64) {
        self.put_bytes(id, &value.to_be_bytes());
    }

    fn put_master(&mut self, id: u32, fill: impl FnOnce(&mut Vec<u8>)) {
        let mut body = Vec::new();
        fill(&mut body);
        self.put_bytes(id, &body);
    }

    fn put_void(&mut self, length: usize) {
        debug_assert!((2..=128).contains(&length));
        self.put_bytes(super::matroska::ids::VOID, &vec![0; length - 2]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_can_be_read() {
        for size in [0usize, 1, 126, 127, 128, 16_382, 16_383, 100_000] {
            let mut bytes = Vec::new();
            bytes.put_bytes(0x1a45_dfa3, &vec![7; size]);
            let mut source = Source::new(&bytes[..]);
            let header = source.header().unwrap().unwrap();
            assert_eq!((header.id, header.size), (0x1a45_dfa3, Some(size as u64)));
            assert_eq!(source.body(header, 1 << 20).unwrap().len(), size);
            assert!(source.header().unwrap().is_none());
        }
    }

    #[test]
    fn an_unknown_size_is_told_apart() {
        let mut bytes = vec![0x1f, 0x43, 0xb6, 0x75];
        bytes.extend(UNKNOWN_SIZE);
        assert_eq!(Source::new(&bytes[..]).header().unwrap().unwrap().size, None);
    }

    #[test]
    fn a_promise_is_not_allocated() {
        let mut bytes = vec![0xa3];
        bytes.put_size(1 << 40);
        let mut source = Source::new(&bytes[..]);
        let header = source.header().unwrap().unwrap();
        assert!(matches!(source.body(header, u64::MAX), Err(EbmlError::Ends)));
        let mut source = Source::new(&bytes[..]);
        let header = source.header().unwrap().unwrap();
        assert!(matches!(source.body(header, 1 << 20), Err(EbmlError::TooLong { .. })));
    }

    #[test]
    fn a_void_is_as_long_as_asked() {
        for length in [2, 11, 100, 128] {
            let mut bytes = Vec::new();
            bytes.put_void(length);
            assert_eq!(bytes.len(), length);
        }
    }
}
