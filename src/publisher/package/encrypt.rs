//! AES-128 of HLS segments (RFC 8216, 4.3.2.4): CBC over the whole segment, PKCS #7 padding.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use aes::Aes128;
use aes::cipher::{Block, BlockModeEncrypt, KeyIvInit};
use cbc::Encryptor;

use crate::publisher::error::PublishError;

const BLOCK: usize = 16;
const CHUNK: usize = 64 << 10;

/// A key; its bytes show nowhere but in a cipher.
#[derive(Clone, PartialEq, Eq)]
pub struct HlsKeyBytes([u8; 16]);

impl fmt::Debug for HlsKeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HlsKeyBytes(…)")
    }
}

impl HlsKeyBytes {
    /// Takes what a key file holds: 16 bytes, or 32 hexadecimal digits and perhaps a line end.
    pub fn parse(bytes: &[u8]) -> Option<HlsKeyBytes> {
        if let Ok(raw) = bytes.try_into() {
            return Some(HlsKeyBytes(raw));
        }
        let digits = bytes.trim_ascii();
        if digits.len() != 32 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let digits = std::str::from_utf8(digits).ok()?;
        u128::from_str_radix(digits, 16).ok().map(|key| HlsKeyBytes(key.to_be_bytes()))
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// When it cannot be read, or holds something else.
    pub fn read(path: &Path) -> Result<HlsKeyBytes, PublishError> {
        let refuse = |what: String| PublishError::Key(format!("{}: {what}", path.display()));
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(|error| refuse(error.to_string()))?;
        file.take(64).read_to_end(&mut bytes).map_err(|error| refuse(error.to_string()))?;
        HlsKeyBytes::parse(&bytes).ok_or_else(|| refuse("it holds something else".into()))
    }
}

/// How segments are encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HlsEncryption {
    pub key: HlsKeyBytes,
    /// Where players get the key.
    pub key_url: String,
    /// None: each segment's media sequence number.
    pub iv: Option<[u8; 16]>,
}

impl HlsEncryption {
    pub(super) fn iv_of(&self, sequence: u64) -> [u8; 16] {
        self.iv.unwrap_or(u128::from(sequence).to_be_bytes())
    }

    /// Encrypts a segment from one file to another, piece by piece.
    pub(super) fn encrypt(&self, sequence: u64, mut from: impl Read, mut to: impl Write) -> io::Result<()> {
        let mut cipher = Encryptor::<Aes128>::new(&self.key.0.into(), &self.iv_of(sequence).into());
        let mut chunk = vec![0; CHUNK];
        loop {
            let mut filled = read_full(&mut from, &mut chunk)?;
            let last = filled < CHUNK;
            if last {
                // Padding is 1 to 16 bytes, each of which tells how many there are.
                let padding = BLOCK - filled % BLOCK;
                chunk[filled..filled + padding].fill(padding as u8);
                filled += padding;
            }
            let (blocks, _) = Block::<Encryptor<Aes128>>::slice_as_chunks_mut(&mut chunk[..filled]);
            cipher.encrypt_blocks(blocks);
            to.write_all(&chunk[..filled])?;
            if last {
                return Ok(());
            }
        }
    }
}

fn read_full(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes::cipher::{BlockModeDecrypt, block_padding::Pkcs7};

    #[test]
    fn a_key_is_sixteen_bytes_or_their_digits() {
        let raw = [7u8; 16];
        let digits = "07".repeat(16);
        assert_eq!(HlsKeyBytes::parse(&raw), HlsKeyBytes::parse(digits.as_bytes()));
        assert_eq!(HlsKeyBytes::parse(&raw), HlsKeyBytes::parse(format!("{digits}\n").as_bytes()));
        for bad in ["", "07", "+7070707070707070707070707070707", "zz"] {
            assert_eq!(HlsKeyBytes::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn what_is_encrypted_decrypts_to_itself_whatever_its_length() {
        let encryption = HlsEncryption { key: HlsKeyBytes([3; 16]), key_url: String::new(), iv: None };
        for length in [0, 1, 15, 16, 188, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5] {
            let plain: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let mut secret = Vec::new();
            encryption.encrypt(5, &plain[..], &mut secret).unwrap();
            assert_eq!(secret.len(), length + 16 - length % 16);
            let iv = 5u128.to_be_bytes();
            let cipher = cbc::Decryptor::<Aes128>::new(&[3; 16].into(), &iv.into());
            assert_eq!(cipher.decrypt_padded_vec::<Pkcs7>(&secret).unwrap(), plain);
        }
    }
}
