//! What an installation gives to Recordings: the destination of those that name none, and a store of its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

use super::convert::{Origin, Rejection};
use super::destination;
use super::spec::{DestinationSpec, OutputSpec};

/// What an installation gives to Recordings.
#[derive(Debug, Clone, PartialEq)]
pub struct Installation {
    /// Where a video goes that names no destination.
    pub destination: DestinationSpec,
    /// Its own store; None: each Recording brings credentials for the store it names.
    pub store: Option<OwnStore>,
}

impl Default for Installation {
    fn default() -> Installation {
        Installation { destination: DestinationSpec::volume(), store: None }
    }
}

impl Installation {
    /// The same, for Recordings that were accepted before: whatever bucket they name is one that was allowed.
    pub fn with_any_bucket(&self) -> Installation {
        let any = || vec![BucketPattern("*".to_owned())];
        Installation { store: self.store.clone().map(|store| OwnStore { buckets: any(), ..store }), ..self.clone() }
    }

    /// Finds out whether a Recording that names no destination can be delivered.
    ///
    /// # Errors
    /// What is wrong with the destination.
    pub fn check(&self) -> Result<(), Rejection> {
        let output = OutputSpec::default();
        let origin = Origin { namespace: "namespace", name: "name", uid: "", created: jiff::Timestamp::UNIX_EPOCH };
        destination::choose(&output, origin, self).map(drop)
    }
}

/// The store that the installation has credentials for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnStore {
    /// Its address; None: that of AWS in its region.
    pub endpoint: Option<Url>,
    pub region: Option<String>,
    /// What a Recording may name without credentials of its own.
    pub buckets: Vec<BucketPattern>,
    pub credentials: OwnCredentials,
}

/// Where the installation's credentials are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnCredentials {
    /// This Secret in the namespace of each Recording, by its key `panorec-s3.json`.
    Secret(String),
    /// The pod's web identity, or the role of its node.
    Ambient,
}

/// A bucket's name, or the beginning of several with a '*' after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BucketPattern(String);

impl BucketPattern {
    /// Whether the bucket is one of these.
    pub fn matches(&self, bucket: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => bucket.starts_with(beginning),
            None => bucket == self.0,
        }
    }
}

impl FromStr for BucketPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<BucketPattern, String> {
        let name = text.strip_suffix('*').unwrap_or(text);
        let fits = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'));
        if fits && !text.is_empty() {
            Ok(BucketPattern(text.to_owned()))
        } else {
            Err(format!("{text:?} is no bucket; write it like lessons, or lessons-* for all that begin so"))
        }
    }
}

impl fmt::Display for BucketPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
