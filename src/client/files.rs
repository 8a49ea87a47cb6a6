//! What comes from files, so that it is in no list of processes.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::complaint::Complaint;
use crate::gateway::Secret;

/// The text of a file; `-` is standard input.
pub(super) fn text(path: &Path, what: &str) -> Result<String, Complaint> {
    let bytes = bytes(path, what)?;
    String::from_utf8(bytes).map_err(|_| unreadable(path, what, &"it is no text in UTF-8"))
}

/// The JSON in a file; `-` is standard input. Nothing of it is shown.
pub(super) fn json(path: &Path, what: &str) -> Result<Value, Complaint> {
    let bytes = bytes(path, what)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| unreadable(path, what, &format_args!("line {} is no JSON", error.line())))
}

/// A key of 16 bytes, as 32 hexadecimal digits: the file has the one or the other.
pub(super) fn hex_key(path: &Path) -> Result<Secret, Complaint> {
    let what = "the key";
    let bytes = bytes(path, what)?;
    if bytes.len() == 16 {
        return Ok(Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect()));
    }
    let digits = String::from_utf8(bytes).ok().map(|text| text.trim().to_owned());
    let digits = digits.filter(|text| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let wrong =
        || unreadable(path, what, &"it must be 16 bytes or 32 hexadecimal digits, as from `openssl rand -hex 16`");
    digits.map(Secret::new).ok_or_else(wrong)
}

fn bytes(path: &Path, what: &str) -> Result<Vec<u8>, Complaint> {
    let mut bytes = Vec::new();
    let read = match path == Path::new("-") {
        true => std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes),
        false => std::fs::read(path),
    };
    read.map_err(|error| unreadable(path, what, &error))
}

fn unreadable(path: &Path, what: &str, why: &dyn std::fmt::Display) -> Complaint {
    let place = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    Complaint::usage(format!("{what} in {place} cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sixteen_bytes_however_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        for (bytes, key) in [
            (&[0xab_u8; 16][..], "abababababababababababababababab"),
            (b"21834cca41778803e1afba3f41e70c90\n", "21834cca41778803e1afba3f41e70c90"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(hex_key(&path).unwrap().expose(), key);
        }
        for bytes in [&b"21834cca41778803e1afba3f41e70c9"[..], b"SECRETSECRETSECRETSECRETSECRET12", b""] {
            std::fs::write(&path, bytes).unwrap();
            let said = hex_key(&path).err().unwrap().to_string();
            assert!(said.contains("32 hexadecimal digits") && !said.contains("SECRET"), "{said}");
        }
        std::fs::write(&path, "{\n\"SECRET\": }").unwrap();
        let said = json(&path, "the login state").err().unwrap().to_string();
        assert!(said.contains("line 2 is no JSON") && !said.contains("SECRET"), "{said}");
    }
}
