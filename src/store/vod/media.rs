//! What is one media: which of the finished files VOD takes, as what, and whether it has got them. Pure.

use super::api::MetaData;

/// VOD's length of a video is another program's; so far it may differ, in seconds.
const TOLERANCE: f64 = 1.0;

/// The finished files of one video, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Media {
    /// The file that players open, then those that it names.
    pub files: Vec<String>,
    /// VOD takes one, a JPEG, as the cover.
    pub pictures: Vec<String>,
    /// How long the video is, in microseconds.
    pub duration_us: i64,
}

/// What a file is to VOD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Players open it.
    Entry,
    /// That one names it.
    Beside,
    Cover,
    /// VOD has no place for it.
    LeftOut,
}

impl Role {
    /// Whether VOD counts it to the video.
    pub(super) fn is_video(self) -> bool {
        matches!(self, Role::Entry | Role::Beside)
    }
}

impl Media {
    /// The file that players open.
    pub(super) fn entry(&self) -> &str {
        self.files.first().map_or("", String::as_str)
    }

    /// `mp4` or `m3u8`, as VOD calls what it is.
    pub(super) fn kind(&self) -> &str {
        self.entry().rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    /// The entry's name without its extension.
    pub(super) fn stem(&self) -> &str {
        self.entry().rsplit_once('.').map_or("", |(stem, _)| stem)
    }

    pub(super) fn cover(&self) -> Option<&str> {
        self.pictures.iter().map(String::as_str).find(|name| name.ends_with(".jpg"))
    }

    pub(super) fn role(&self, name: &str) -> Role {
        match name {
            name if name == self.entry() => Role::Entry,
            name if self.files.iter().any(|file| file == name) => Role::Beside,
            name if self.cover() == Some(name) => Role::Cover,
            _ => Role::LeftOut,
        }
    }

    /// What a person should know when VOD found something else than was sent.
    pub(super) fn difference(&self, found: MetaData, sent_bytes: u64, file_id: &str) -> Option<String> {
        let seconds = self.duration_us as f64 / 1e6;
        let size = found.size().filter(|size| *size != sent_bytes);
        let duration = found.duration().filter(|duration| (duration - seconds).abs() > TOLERANCE);
        let said = match (size, duration) {
            (None, None) => return None,
            (Some(size), None) => format!("{size} bytes where {sent_bytes} were sent"),
            (None, Some(duration)) => format!("{duration:.1} s where the video has {seconds:.1} s"),
            (Some(size), Some(duration)) => {
                format!("{size} bytes and {duration:.1} s where {sent_bytes} bytes and {seconds:.1} s were sent")
            }
        };
        Some(format!("VOD found {said}; look at the media {file_id} there"))
    }
}

impl MetaData {
    /// 0 stands for what VOD does not know yet.
    fn size(&self) -> Option<u64> {
        self.size.filter(|size| *size > 0)
    }

    fn duration(&self) -> Option<f64> {
        self.duration.filter(|duration| *duration > 0.0)
    }

    /// Whether VOD has looked into the file.
    pub(super) fn is_whole(&self) -> bool {
        self.size().is_some() && self.duration().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media() -> Media {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Media {
            files: names(&["a.b.m3u8", "a.b-00000.ts"]),
            pictures: names(&["a.b-contact.png", "a.b.jpg"]),
            duration_us: 9_500_000,
        }
    }

    #[test]
    fn each_file_has_a_role() {
        let media = media();
        for (name, role) in [
            ("a.b.m3u8", Role::Entry),
            ("a.b-00000.ts", Role::Beside),
            ("a.b.jpg", Role::Cover),
            ("a.b-contact.png", Role::LeftOut),
            ("", Role::LeftOut),
        ] {
            assert_eq!(media.role(name), role, "{name}");
        }
        assert_eq!((media.kind(), media.stem()), ("m3u8", "a.b"));
    }

    #[test]
    fn what_vod_does_not_know_yet_is_no_difference() {
        let told = |size, duration| media().difference(MetaData { size, duration }, 1_000, "42");
        for (size, duration) in
            [(None, None), (Some(0), Some(0.0)), (Some(1_000), Some(9.5)), (Some(1_000), Some(10.4))]
        {
            assert_eq!(told(size, duration), None, "{size:?} {duration:?}");
        }
        for (size, duration, says) in [
            (Some(999), None, "999 bytes where 1000 were sent; look at the media 42"),
            (Some(1_000), Some(4.0), "4.0 s where the video has 9.5 s"),
            (Some(999), Some(4.0), "999 bytes and 4.0 s"),
        ] {
            let text = told(size, duration).unwrap();
            assert!(text.contains(says), "{text}");
        }
    }
}
