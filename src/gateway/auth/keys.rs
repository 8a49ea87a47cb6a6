//! The keys of applications, and what each may do.

use std::collections::HashMap;

use serde::Deserialize;

use crate::gateway::Secret;

/// Who asks. Without keys it is nobody in particular, and everything is as by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The id of its key; None: the gateway has no keys.
    pub key_id: Option<String>,
    /// The namespace of its Recordings; None: the gateway's default one. It sees no other.
    pub namespace: Option<String>,
    /// How many unfinished tasks it may have; None: any number.
    pub max_concurrent: Option<u32>,
}

/// A key of an application.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) caller: Caller,
    pub(super) secret: Secret,
    pub(super) starts_per_minute: Option<u32>,
}

/// All keys, by their ids.
#[derive(Clone, Default)]
pub struct Keys(HashMap<String, Key>);

/// Why keys cannot be used. Nothing of a secret is shown.
#[derive(Debug, thiserror::Error)]
pub enum BadKeys {
    #[error(
        "line {0}: the keys must be JSON like {{\"keys\":[{{\"id\":\"…\",\"secret\":\"…\",\"namespace\":\"…\",\
         \"maxConcurrent\":8,\"startsPerMinute\":60}}]}}, the last three optional"
    )]
    Json(usize),
    #[error("key {0}: its id must be 1 to 128 visible ASCII characters without '\"'")]
    Id(usize),
    #[error("key {0}: its secret is empty; give 32 characters or more, as from `openssl rand -hex 16`")]
    Secret(usize),
    #[error("key {at}: {namespace:?} is no namespace: up to 63 of a-z, 0-9 and '-', a letter or digit at the ends")]
    Namespace { at: usize, namespace: String },
    #[error("key {0}: a key before it has the same id")]
    Twice(usize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    keys: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    id: String,
    secret: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    max_concurrent: Option<u32>,
    #[serde(default)]
    starts_per_minute: Option<u32>,
}

impl Keys {
    /// Reads `{"keys": [{"id", "secret", "namespace", "maxConcurrent", "startsPerMinute"}]}`; the last three may be
    /// left out. No key at all is allowed: then nobody gets in.
    ///
    /// # Errors
    /// Another form, or the first key (counted from 1) that cannot be.
    pub fn parse(json: &[u8]) -> Result<Keys, BadKeys> {
        // The parser's own words would show what is in it.
        let file: File = serde_json::from_slice(json).map_err(|error| BadKeys::Json(error.line()))?;
        let mut keys = HashMap::with_capacity(file.keys.len());
        for (at, entry) in (1..).zip(file.keys) {
            let Entry { id, secret, namespace, max_concurrent, starts_per_minute } = entry;
            if !(1..=128).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"') {
                return Err(BadKeys::Id(at));
            }
            if secret.is_empty() {
                return Err(BadKeys::Secret(at));
            }
            if let Some(namespace) = namespace.as_ref().filter(|namespace| !is_label(namespace)) {
                return Err(BadKeys::Namespace { at, namespace: namespace.chars().take(80).collect() });
            }
            let caller = Caller { key_id: Some(id.clone()), namespace, max_concurrent };
            let key = Key { caller, secret: Secret::new(secret), starts_per_minute };
            if keys.insert(id, key).is_some() {
                return Err(BadKeys::Twice(at));
            }
        }
        Ok(Keys(keys))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, id: &str) -> Option<&Key> {
        self.0.get(id)
    }
}

/// Whether Kubernetes takes it as the name of a namespace (RFC 1123).
fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = bytes.first().copied().is_some_and(plain) && bytes.last().copied().is_some_and(plain);
    ends && bytes.len() <= 63 && bytes.iter().all(|byte| plain(*byte) || *byte == b'-')
}
