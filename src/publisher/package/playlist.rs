//! The media playlist of HLS: exact durations, a true target duration.

use std::io::Write;
use std::sync::atomic::Ordering;

use m3u8_rs::{Key, KeyMethod, MediaPlaylist, MediaPlaylistType, MediaSegment};

use super::encrypt::HlsEncryption;

/// A segment as the playlist lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub duration_us: i64,
    /// Whether an encoder was started anew before it.
    pub discontinuity: bool,
}

/// The name of a segment's file.
pub(super) fn segment_name(name: &str, index: usize) -> String {
    format!("{name}-{index:05}.ts")
}

/// Whether there will be more segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::publisher) enum Listing {
    /// All are there.
    Whole,
    /// More will come, none of them longer than this many seconds: players ask again, and neither that length nor
    /// the kind of the list may change meanwhile (RFC 8216, 4.3.3.1 and 4.3.3.5).
    Growing { longest: u64 },
    /// All are there of what was listed while it grew.
    Grown { longest: u64 },
}

/// The playlist's text.
pub(super) fn playlist(
    name: &str,
    segments: &[Segment],
    encryption: Option<&HlsEncryption>,
    listing: Listing,
) -> Vec<u8> {
    // Microseconds; a setting of the whole program, and always the same.
    m3u8_rs::WRITE_OPT_FLOAT_PRECISION.store(6, Ordering::Relaxed);
    let longest = segments.iter().map(|segment| segment.duration_us).max().unwrap_or(0);
    let longest = (longest.max(1) as u64).div_ceil(1_000_000);
    let list = MediaPlaylist {
        version: Some(3),
        target_duration: match listing {
            Listing::Whole => longest,
            Listing::Growing { longest: most } | Listing::Grown { longest: most } => longest.max(most),
        },
        end_list: !matches!(listing, Listing::Growing { .. }),
        playlist_type: Some(match listing {
            Listing::Whole => MediaPlaylistType::Vod,
            Listing::Growing { .. } | Listing::Grown { .. } => MediaPlaylistType::Event,
        }),
        independent_segments: true,
        segments: segments
            .iter()
            .enumerate()
            .map(|(index, segment)| MediaSegment {
                uri: percent_encode(&segment_name(name, index)),
                duration: (segment.duration_us as f64 / 1e6) as f32,
                discontinuity: segment.discontinuity,
                // It holds for all that follow.
                key: encryption.filter(|_| index == 0).map(key),
                ..MediaSegment::default()
            })
            .collect(),
        ..MediaPlaylist::default()
    };
    let mut text = Vec::new();
    // A Vec takes everything.
    let _ = list.write_to(&mut text);
    let _ = text.flush();
    text
}

fn key(encryption: &HlsEncryption) -> Key {
    Key {
        method: KeyMethod::AES128,
        uri: Some(encryption.key_url.clone()),
        iv: encryption.iv.map(|iv| format!("0x{:032X}", u128::from_be_bytes(iv))),
        keyformat: None,
        keyformatversions: None,
    }
}

/// A file's name as a relative URI (RFC 3986): everything but unreserved characters is escaped.
fn percent_encode(name: &str) -> String {
    name.bytes().fold(String::new(), |mut uri, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
        uri
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publisher::package::encrypt::HlsKeyBytes;

    fn segment(duration_us: i64, discontinuity: bool) -> Segment {
        Segment { duration_us, discontinuity }
    }

    #[test]
    fn durations_are_exact_and_the_target_is_not_below_any() {
        let segments = [segment(30_033_333, false), segment(4_500_000, true)];
        let text = String::from_utf8(playlist("a b", &segments, None, Listing::Whole)).unwrap();
        assert_eq!(
            text,
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-TARGETDURATION:31\n\
             #EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:30.033333,\na%20b-00000.ts\n\
             #EXT-X-DISCONTINUITY\n#EXTINF:4.500000,\na%20b-00001.ts\n#EXT-X-ENDLIST\n"
        );
    }

    #[test]
    fn the_key_is_told_by_its_address_only() {
        let encryption = HlsEncryption {
            key: HlsKeyBytes::parse(&[b'k'; 16]).unwrap(),
            key_url: "https://keys.example/1".into(),
            iv: Some([0x0a; 16]),
        };
        let text = playlist("v", &[segment(1_000_000, false); 2], Some(&encryption), Listing::Whole);
        let text = String::from_utf8(text).unwrap();
        let line = "#EXT-X-KEY:METHOD=AES-128,URI=\"https://keys.example/1\",\
                    IV=0x0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A\n";
        assert_eq!(text.matches(line).count(), 1, "{text}");
        assert!(!text.contains("kkkk"));
    }

    #[test]
    fn a_growing_list_keeps_its_kind_and_its_longest_segment() {
        let text = |listing| String::from_utf8(playlist("v", &[segment(6_000_000, false)], None, listing)).unwrap();
        let (growing, grown) = (text(Listing::Growing { longest: 8 }), text(Listing::Grown { longest: 8 }));
        for text in [&growing, &grown] {
            assert!(text.contains("#EXT-X-PLAYLIST-TYPE:EVENT") && text.contains("#EXT-X-TARGETDURATION:8"), "{text}");
        }
        assert!(!growing.contains("#EXT-X-ENDLIST") && grown.contains("#EXT-X-ENDLIST"));
    }
}
