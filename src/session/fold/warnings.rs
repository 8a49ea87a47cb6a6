//! What a person should know of a recording, bounded however much was said.

use serde::{Deserialize, Deserializer, Serialize};

/// How many warnings are kept: the first half of it and the newest half.
const KEPT: usize = 32;
/// The longest warning, in characters.
const LENGTH: usize = 240;

/// The warnings of a recording. Serializes as a list of texts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Warnings {
    texts: Vec<String>,
    left_out: u64,
}

impl Warnings {
    /// Adds a warning unless it is there already; drops an old one when there are too many.
    pub(super) fn push(&mut self, text: &str) {
        let text = shortened(text);
        if self.texts.contains(&text) {
            return;
        }
        if self.texts.len() == KEPT {
            self.texts.remove(KEPT / 2);
            self.left_out += 1;
        }
        self.texts.push(text);
    }

    /// Leaves the newer half. False: there are none left.
    pub(in crate::session) fn halve(&mut self) -> bool {
        let gone = self.texts.len().div_ceil(2);
        self.texts.drain(..gone);
        self.left_out += gone as u64;
        gone > 0
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }

    /// How many were left out.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

impl Serialize for Warnings {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.texts)
    }
}

impl<'de> Deserialize<'de> for Warnings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Warnings { texts: Vec::deserialize(deserializer)?, left_out: 0 })
    }
}

/// The text as a person may see it: bounded, and without control characters, for parts of it come
/// from pages.
pub(super) fn shortened(text: &str) -> String {
    let mut kept: String = text.chars().take(LENGTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LENGTH).is_some() {
        kept.push('…');
    }
    kept
}
