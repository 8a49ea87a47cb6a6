//! The size of the picture.

use serde::{Deserialize, Serialize};

use super::bounds::BadValue;

const MIN: u32 = 16;
const MAX: u32 = 2560;

/// Width and height of the picture in pixels: 16..=2560 and even, as 4:2:0 video has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct PictureSize {
    width: u32,
    height: u32,
}

/// A size that fits, and whether it is the one asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rounded {
    pub size: PictureSize,
    /// The size asked for, when it was odd and had to be rounded up.
    pub asked: Option<(u32, u32)>,
}

impl PictureSize {
    /// Checks the bounds and rounds odd sizes up to even, and says so in the answer.
    pub fn rounded_up_to_even(width: u32, height: u32) -> Result<Rounded, BadValue> {
        in_bounds("the width", width)?;
        in_bounds("the height", height)?;
        let size = PictureSize {
            width: width.next_multiple_of(2),
            height: height.next_multiple_of(2),
        };
        let even = (size.width, size.height) == (width, height);
        Ok(Rounded {
            size,
            asked: (!even).then_some((width, height)),
        })
    }

    pub fn width(self) -> u32 {
        self.width
    }

    pub fn height(self) -> u32 {
        self.height
    }
}

impl Default for PictureSize {
    fn default() -> PictureSize {
        PictureSize {
            width: 1280,
            height: 720,
        }
    }
}

impl std::fmt::Display for PictureSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    width: u32,
    height: u32,
}

impl TryFrom<Raw> for PictureSize {
    type Error = String;

    fn try_from(raw: Raw) -> Result<PictureSize, String> {
        let rounded = PictureSize::rounded_up_to_even(raw.width, raw.height)
            .map_err(|error| error.to_string())?;
        match rounded.asked {
            None => Ok(rounded.size),
            Some((width, height)) => Err(format!("{width}x{height} is not even")),
        }
    }
}

fn in_bounds(what: &'static str, value: u32) -> Result<(), BadValue> {
    if (MIN..=MAX).contains(&value) {
        return Ok(());
    }
    Err(BadValue::OutOfRange {
        what,
        min: MIN,
        max: MAX,
        unit: " pixels",
        given: value.to_string(),
    })
}
