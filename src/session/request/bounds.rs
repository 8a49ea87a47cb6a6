//! Numbers with their bounds.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// A value is out of its bounds.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BadValue {
    #[error("{what} must be a whole number from {min} to {max}{unit}, not {given}")]
    OutOfRange { what: &'static str, min: u32, max: u32, unit: &'static str, given: String },
    #[error("a video's duration must be more than 0 and at most 259200 seconds, not {given}")]
    Duration { given: String },
    #[error("the text must be one line of 1 to 1024 bytes without control characters")]
    Text,
}

macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident($repr:ty), $what:literal, $min:literal..=$max:literal, $unit:literal, default $default:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name($repr);

        impl $name {
            /// Checks the bounds.
            pub fn new(value: u32) -> Result<$name, BadValue> {
                <$repr>::try_from(value)
                    .ok()
                    .filter(|value| ($min..=$max).contains(value))
                    .map($name)
                    .ok_or_else(|| $name::refused(value.to_string()))
            }

            pub fn get(self) -> $repr {
                self.0
            }

            fn refused(given: String) -> BadValue {
                BadValue::OutOfRange { what: $what, min: $min, max: $max, unit: $unit, given }
            }
        }

        impl Default for $name {
            fn default() -> $name {
                $name($default)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = BadValue;

            fn from_str(text: &str) -> Result<$name, BadValue> {
                let value = text.parse().map_err(|_| $name::refused(format!("{text:?}")))?;
                $name::new(value)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "integer", "format": "int32", "minimum": $min, "maximum": $max })
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $name::new(u32::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

bounded! {
    /// Frames a second, at most.
    FrameRate(u8), "the frame rate", 1..=60, "", default 30
}
bounded! {
    /// Seconds that a manual start is waited for.
    StartTimeout(u32), "the start time-out", 1..=259200, " seconds", default 600
}
bounded! {
    /// Seconds of wall clock that a session may take.
    MaxDuration(u32), "the maximal duration", 1..=259200, " seconds", default 21600
}
bounded! {
    /// Constant rate factor: lower is better and larger. x264 takes 0..=51, libvpx 4..=63.
    Crf(u8), "the constant rate factor", 0..=63, "", default 23
}
bounded! {
    /// Kilobits a second that the picture may take at most.
    MaxBitrate(u32), "the maximal bitrate", 50..=200000, " kbit/s", default 8000
}
bounded! {
    /// Seconds between key frames, at most.
    KeyFrameInterval(u8), "the key frame interval", 1..=30, " seconds", default 2
}
bounded! {
    /// Kilobits a second of the sound.
    AudioBitrate(u32), "the sound's bitrate", 32..=512, " kbit/s", default 128
}
bounded! {
    /// Seconds of an HLS segment.
    SegmentDuration(u32), "the segment length", 1..=600, " seconds", default 30
}

impl Crf {
    /// What looks about like x264's 23 with libvpx's VP8 in real time.
    pub(super) const VP8: Crf = Crf(20);
    /// The same for VP9.
    pub(super) const VP9: Crf = Crf(32);
}

/// Seconds of recorded video.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct VideoDuration(f64);

impl VideoDuration {
    /// Checks the bounds: more than 0, at most three days.
    pub fn from_seconds(seconds: f64) -> Result<VideoDuration, BadValue> {
        if seconds > 0.0 && seconds <= 259_200.0 {
            Ok(VideoDuration(seconds))
        } else {
            Err(BadValue::Duration { given: seconds.to_string() })
        }
    }

    pub fn as_secs_f64(self) -> f64 {
        self.0
    }

    /// The duration in microseconds.
    pub fn as_micros(self) -> u64 {
        (self.0 * 1e6).round() as u64
    }
}

impl FromStr for VideoDuration {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<VideoDuration, BadValue> {
        let seconds = text.parse().map_err(|_| BadValue::Duration { given: format!("{text:?}") })?;
        VideoDuration::from_seconds(seconds)
    }
}

impl<'de> Deserialize<'de> for VideoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        VideoDuration::from_seconds(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
