//! The four HMACs, and the two readings of Content-MD5.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use crate::gateway::Secret;

/// What a signature is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// There is no such algorithm.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no algorithm; it is one of hmac-sha1, hmac-sha256, hmac-sha384 and hmac-sha512")]
pub struct UnknownAlgorithm(String);

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<Algorithm, UnknownAlgorithm> {
        Algorithm::ALL
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or_else(|| UnknownAlgorithm(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 4] = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];

    /// The name in the Authorization header.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Sha1 => "hmac-sha1",
            Algorithm::Sha256 => "hmac-sha256",
            Algorithm::Sha384 => "hmac-sha384",
            Algorithm::Sha512 => "hmac-sha512",
        }
    }

    /// The authentication code of a text: 20 to 64 bytes.
    pub(super) fn mac(self, secret: &Secret, text: &[u8]) -> Vec<u8> {
        match self {
            Algorithm::Sha1 => mac::<Hmac<Sha1>>(secret, text),
            Algorithm::Sha256 => mac::<Hmac<Sha256>>(secret, text),
            Algorithm::Sha384 => mac::<Hmac<Sha384>>(secret, text),
            Algorithm::Sha512 => mac::<Hmac<Sha512>>(secret, text),
        }
    }
}

fn mac<M: Mac + KeyInit>(secret: &Secret, text: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length (RFC 2104).
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(secret.expose().as_bytes()) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// The MD5 of a body in both readings of Content-MD5.
pub(super) struct BodyMd5 {
    /// Base64 of the hexadecimal digits: what all official samples send.
    pub hex: String,
    /// Base64 of the 16 bytes: what the document says, and RFC 1864.
    pub raw: String,
}

impl BodyMd5 {
    pub fn of(body: &[u8]) -> BodyMd5 {
        let digest = Md5::digest(body);
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        BodyMd5 { hex: STANDARD.encode(digits), raw: STANDARD.encode(digest) }
    }
}
