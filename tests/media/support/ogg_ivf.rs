//! Frames out of IVF and packets out of Ogg, as FFmpeg writes them.

use std::path::Path;

/// The frames of an IVF file.
pub fn read_ivf(path: &Path) -> Vec<Vec<u8>> {
    let data = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(data.get(..4), Some(&b"DKIF"[..]), "{} is not IVF", path.display());
    let header = u16::from_le_bytes([data[6], data[7]]) as usize;
    let mut rest = &data[header..];
    let mut frames = Vec::new();
    while rest.len() >= 12 {
        let size = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
        frames.push(rest[12..12 + size].to_vec());
        rest = &rest[12 + size..];
    }
    frames
}

/// The Opus packets of an Ogg file with one stream, without its two header packets.
pub fn read_opus(path: &Path) -> Vec<Vec<u8>> {
    let data = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut packets = Vec::new();
    let mut packet = Vec::new();
    let mut rest = &data[..];
    while rest.len() > 27 {
        assert_eq!(&rest[..4], b"OggS", "{} is not Ogg", path.display());
        let segments = rest[26] as usize;
        let (lengths, mut body) = rest[27..].split_at(segments);
        for &length in lengths {
            let (piece, after) = body.split_at(length as usize);
            packet.extend_from_slice(piece);
            body = after;
            // A full segment says that the packet goes on.
            if length < 255 {
                packets.push(std::mem::take(&mut packet));
            }
        }
        rest = body;
    }
    packets.split_off(2)
}
