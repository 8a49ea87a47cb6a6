//! Where the finished file goes: its folder, its name, and whether it can be written at all.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Zoned;

use crate::complaint::Complaint;
use crate::session::request::{BucketName, FileName, Format, KeyPrefix, PageUrl};

/// Where the finished file goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Output {
    pub place: Place,
    pub name: FileName,
    pub format: Format,
}

/// A folder, one in a bucket, or VOD, which has none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Absolute.
    Folder(PathBuf),
    Bucket {
        scheme: Scheme,
        bucket: BucketName,
        prefix: KeyPrefix,
    },
    Vod,
}

/// What `-o` names a bucket's store by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// `s3://`: any store, by its address.
    S3,
    /// `cos://`: Tencent COS, by its region.
    Cos,
}

impl Scheme {
    /// The scheme of a URL of a bucket, and what follows it.
    fn of(given: &str) -> Option<(Scheme, &str)> {
        let s3 = || Some((Scheme::S3, given.strip_prefix("s3://")?));
        let cos = || Some((Scheme::Cos, given.strip_prefix("cos://")?));
        s3().or_else(cos)
    }
}

impl Output {
    /// The place that `-o` and `--format` mean.
    pub(super) fn choose(
        given: Option<&Path>,
        format: Option<Format>,
        url: &PageUrl,
        now: &Zoned,
    ) -> Result<Output, Complaint> {
        let text = given.and_then(Path::to_str);
        if let Some((scheme, rest)) = text.and_then(Scheme::of) {
            return Output::in_bucket(scheme, rest, format, url, now);
        }
        if let Some(file) = text.and_then(|given| given.strip_prefix("vod://")) {
            return Output::named(Place::Vod, file, format, url, now);
        }
        let (folder, file) = match given {
            None => (PathBuf::from("."), None),
            Some(path) if is_folder(path) => (path.to_owned(), None),
            Some(path) => split(path)?,
        };
        let (name, format) = match file {
            None => (default_name(url, now), format.unwrap_or_default()),
            Some(file) => name_and_format(&file, format)?,
        };
        let name = name.parse().map_err(Complaint::usage)?;
        let folder =
            std::path::absolute(&folder).map_err(|error| Complaint::usage(format!("{}: {error}", folder.display())))?;
        Ok(Output { place: Place::Folder(folder), name, format })
    }

    /// `BUCKET/FOLDER/NAME.mp4`; without a name at its end it ends with '/' or is the bucket alone.
    fn in_bucket(
        scheme: Scheme,
        given: &str,
        format: Option<Format>,
        url: &PageUrl,
        now: &Zoned,
    ) -> Result<Output, Complaint> {
        let (bucket, path) = given.split_once('/').unwrap_or((given, ""));
        // An empty part at the beginning is a part, too, and is refused with the folder.
        let (prefix, file) = match path.rsplit_once('/') {
            Some(("", _)) => ("/", path),
            Some(split) => split,
            None => ("", path),
        };
        let place = Place::Bucket {
            scheme,
            bucket: bucket.parse().map_err(Complaint::usage)?,
            prefix: prefix.parse().map_err(Complaint::usage)?,
        };
        Output::named(place, file, format, url, now)
    }

    /// A file of that name, or of the default one when it is empty.
    fn named(
        place: Place,
        file: &str,
        format: Option<Format>,
        url: &PageUrl,
        now: &Zoned,
    ) -> Result<Output, Complaint> {
        let (name, format) = match file {
            "" => (default_name(url, now), format.unwrap_or_default()),
            file => name_and_format(file, format)?,
        };
        Ok(Output { place, name: name.parse().map_err(Complaint::usage)?, format })
    }

    /// The name of the file that a player opens.
    fn file_name(&self) -> String {
        format!("{}.{}", self.name, self.format.extension())
    }

    /// Finds out, before anything is recorded, whether the file can be written; what a store says to it is
    /// found out by asking the store.
    pub(super) fn check(&self) -> Result<(), Complaint> {
        match &self.place {
            Place::Folder(folder) => check_folder(folder, &self.file_name()),
            Place::Bucket { .. } | Place::Vod => Ok(()),
        }
    }
}

fn check_folder(path: &Path, name: &str) -> Result<(), Complaint> {
    let folder = path.display();
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => {
            return Err(Complaint::usage(format!(
                "{folder} is not a folder; give -o a file in a folder that is there"
            )));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Complaint::usage(format!("the folder {folder} is not there; make it, or give -o another one")));
        }
        Err(error) => {
            return Err(Complaint::usage(format!(
                "the folder {folder} cannot be reached ({error}); give -o another one"
            )));
        }
    }
    let file = path.join(name);
    if fs::symlink_metadata(&file).is_ok_and(|meta| !meta.is_file()) {
        return Err(Complaint::usage(format!("{} is there and is not a file; give -o another name", file.display())));
    }
    // Permissions, read-only mounts and full quotas can only be told by writing.
    let probe = path.join(format!(".panorec-{}", std::process::id()));
    let written = OpenOptions::new().write(true).create_new(true).open(&probe).and_then(|_| fs::remove_file(&probe));
    written.map_err(|error| {
        Complaint::usage(format!("the folder {folder} cannot be written to ({error}); give -o another one"))
    })
}

fn is_folder(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir()
}

fn split(path: &Path) -> Result<(PathBuf, Option<String>), Complaint> {
    let file = path.file_name().and_then(|name| name.to_str());
    let file = file.ok_or_else(|| {
        Complaint::usage(format!(
            "{} does not name a file; give -o a name that ends with .mp4 or .m3u8",
            path.display()
        ))
    })?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    Ok((folder, Some(file.to_owned())))
}

fn name_and_format(file: &str, asked: Option<Format>) -> Result<(String, Format), Complaint> {
    let (name, format) = [Format::Mp4, Format::Hls]
        .into_iter()
        .find_map(|format| {
            let name = file.strip_suffix(format.extension())?.strip_suffix('.')?;
            Some((name, format))
        })
        .ok_or_else(|| {
            Complaint::usage(format!("cannot tell what {file:?} is to be; end the name with .mp4 or .m3u8"))
        })?;
    if let Some(asked) = asked.filter(|asked| *asked != format) {
        return Err(Complaint::usage(format!(
            "{file:?} does not go with the format asked for; end the name with .{}",
            asked.extension()
        )));
    }
    Ok((name.to_owned(), format))
}

/// `<host>-<time>`.
fn default_name(url: &PageUrl, now: &Zoned) -> String {
    let host: String = url
        .host()
        .chars()
        .filter(|c| !matches!(c, '[' | ']'))
        .map(|c| if c == ':' { '-' } else { c })
        .take(100)
        .collect();
    format!("{}-{}", host.trim_start_matches('.'), now.strftime("%Y%m%d-%H%M%S"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(given: Option<&str>, format: Option<Format>) -> Result<String, String> {
        let url = PageUrl::parse("https://school.example:8443/lesson?key=secret").unwrap();
        let now = "2026-11-22T14:05:09[UTC]".parse().unwrap();
        let here = std::path::absolute(".").unwrap();
        match Output::choose(given.map(Path::new), format, &url, &now) {
            Ok(output) => {
                let file = match &output.place {
                    Place::Folder(folder) => folder.join(output.file_name()),
                    Place::Bucket { scheme: Scheme::S3, bucket, prefix } => {
                        format!("{bucket}|{prefix}|{}", output.file_name()).into()
                    }
                    Place::Bucket { scheme: Scheme::Cos, bucket, prefix } => {
                        format!("COS|{bucket}|{prefix}|{}", output.file_name()).into()
                    }
                    Place::Vod => format!("vod|{}", output.file_name()).into(),
                };
                let file = file.strip_prefix(here).unwrap_or(&file);
                Ok(file.to_str().unwrap().to_owned())
            }
            Err(complaint) => Err(complaint.to_string()),
        }
    }

    #[test]
    fn the_file_is_what_was_asked_for() {
        let hls = Some(Format::Hls);
        for (given, format, file) in [
            (None, None, "school.example-20261122-140509.mp4"),
            (None, hls, "school.example-20261122-140509.m3u8"),
            (Some("a.mp4"), None, "a.mp4"),
            (Some("a.b.m3u8"), None, "a.b.m3u8"),
            (Some("x/a.m3u8"), hls, "x/a.m3u8"),
            (Some("/tmp/"), None, "/tmp/school.example-20261122-140509.mp4"),
            (Some("/tmp"), None, "/tmp/school.example-20261122-140509.mp4"),
            (Some("s3://lessons/2026/maths/a.m3u8"), None, "lessons|2026/maths|a.m3u8"),
            (Some("s3://lessons/a.mp4"), None, "lessons||a.mp4"),
            (Some("s3://lessons"), None, "lessons||school.example-20261122-140509.mp4"),
            (Some("s3://lessons/2026/"), hls, "lessons|2026|school.example-20261122-140509.m3u8"),
            (Some("cos://lessons-1250000000/2026/a.mp4"), None, "COS|lessons-1250000000|2026|a.mp4"),
            (Some("vod://lesson 1.m3u8"), None, "vod|lesson 1.m3u8"),
            (Some("vod://"), None, "vod|school.example-20261122-140509.mp4"),
        ] {
            assert_eq!(choose(given, format).as_deref(), Ok(file));
        }
    }

    #[test]
    fn names_that_mean_nothing_are_refused() {
        for (given, format) in [
            ("a.webm", None),
            ("a", None),
            (".mp4", None),
            ("mp4", None),
            ("a.mp4", Some(Format::Hls)),
            ("..", Some(Format::Hls)),
            ("s3://", None),
            ("s3://Lessons/a.mp4", None),
            ("s3://lessons/a", None),
            ("s3://lessons//a.mp4", None),
            ("s3://lessons/../a.mp4", None),
            ("cos://", None),
            ("cos://lessons-1250000000//a.mp4", None),
            ("vod://a", None),
            ("vod://2026/a.mp4", None),
        ] {
            let name = Path::new(given);
            if !name.is_dir() {
                assert!(choose(Some(given), format).is_err(), "{given}");
            }
        }
    }

    #[test]
    fn an_address_can_be_a_file_name() {
        let url = PageUrl::parse("http://[::1]:8080/").unwrap();
        let now = "2026-11-22T14:05:09[UTC]".parse().unwrap();
        let output = Output::choose(None, None, &url, &now).unwrap();
        assert_eq!(output.name.as_str(), "--1-20261122-140509");
    }
}
