//! The token that opens a publisher's control endpoint.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The operator's own key; tokens are derived from it, so that nothing has to be kept.
#[derive(Clone)]
pub struct TokenKey(Vec<u8>);

/// Shorter keys are refused: a token must not be guessed.
const SHORTEST: usize = 16;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the token key has {0} bytes; give at least {SHORTEST}, as from `openssl rand -hex 32`")]
pub struct ShortKey(usize);

impl TokenKey {
    pub fn new(bytes: Vec<u8>) -> Result<TokenKey, ShortKey> {
        if bytes.len() < SHORTEST { Err(ShortKey(bytes.len())) } else { Ok(TokenKey(bytes)) }
    }

    /// The token of the recording with this UID: HMAC-SHA256, as hexadecimal digits.
    pub fn token(&self, uid: &str) -> String {
        // HMAC takes keys of any length (RFC 2104).
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(uid.as_bytes());
        hex(&mac.finalize().into_bytes())
    }
}

/// The SHA-256 of a token, as hexadecimal digits: all that a pod template carries of it.
pub fn digest(token: &str) -> String {
    hex(&Sha256::digest(token))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_by_recording_and_key_and_stay() {
        let key = TokenKey::new(vec![1; 32]).unwrap();
        let other = TokenKey::new(vec![2; 32]).unwrap();
        assert_eq!(key.token("a"), key.token("a"));
        assert_ne!(key.token("a"), key.token("b"));
        assert_ne!(key.token("a"), other.token("a"));
        assert_eq!(key.token("a").len(), 64);
        // FIPS 180-4, the message "abc".
        assert_eq!(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(TokenKey::new(vec![1; 15]).is_err());
    }
}
