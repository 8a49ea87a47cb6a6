//! The stage that the original service sits behind, as in `/release/record`.

use std::str::FromStr;

/// A path that may come before every path of the API: empty, or segments with a '/' before each. Signatures are made
/// without it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefix(String);

/// The text cannot be a prefix.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no path prefix; write it like /release, of letters, digits, '-', '.', '_' and '~'")]
pub struct BadPrefix(String);

impl FromStr for Prefix {
    type Err = BadPrefix;

    /// Slashes at the ends may be left out.
    fn from_str(text: &str) -> Result<Prefix, BadPrefix> {
        let inner = text.trim_matches('/');
        if inner.is_empty() {
            return Ok(Prefix::default());
        }
        // What a router or a client would take for something else is left out.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        let fits = |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(plain);
        match inner.split('/').all(fits) {
            true => Ok(Prefix(format!("/{inner}"))),
            false => Err(BadPrefix(text.chars().take(80).collect())),
        }
    }
}

impl Prefix {
    /// The path behind the prefix; a path without it stays as it is.
    pub fn strip<'a>(&self, path: &'a str) -> &'a str {
        match path.strip_prefix(self.0.as_str()) {
            Some("") => "/",
            Some(rest) if rest.starts_with('/') => rest,
            _ => path,
        }
    }

    /// Where a path of the API is, besides its own place; None without a prefix.
    pub fn place(&self, path: &str) -> Option<String> {
        (!self.0.is_empty()).then(|| format!("{}{path}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_goes_and_nothing_else() {
        let release: Prefix = "release/".parse().unwrap();
        let none: Prefix = "/".parse().unwrap();
        for (prefix, path, stripped) in [
            (&release, "/release/record", "/record"),
            (&release, "/release", "/"),
            (&release, "/released/record", "/released/record"),
            (&release, "/record", "/record"),
            (&none, "/release/record", "/release/record"),
            (&none, "/", "/"),
        ] {
            assert_eq!(prefix.strip(path), stripped, "{prefix:?} {path}");
        }
        assert_eq!(release.place("/record").unwrap(), "/release/record");
        assert_eq!(none.place("/record"), None);
        for text in ["/a b", "/{stage}", "a//b", "../x", "/a?b"] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
        assert_eq!("/a/b".parse::<Prefix>().unwrap().strip("/a/b/record"), "/record");
    }
}
