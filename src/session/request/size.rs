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
        let size = PictureSize { width: width.next_multiple_of(2), height: height.next_multiple_of(2) };
        let even = (size.width, size.height) == (width, height);
        Ok(Rounded { size, asked: (!even).then_some((width, height)) })
    }

    /// Reads a width and checks its bounds.
    pub fn parse_width(text: &str) -> Result<u32, BadValue> {
        parse("the width", text)
    }

    /// Reads a height and checks its bounds.
    pub fn parse_height(text: &str) -> Result<u32, BadValue> {
        parse("the height", text)
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
        PictureSize { width: 1280, height: 720 }
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
        let rounded = PictureSize::rounded_up_to_even(raw.width, raw.height).map_err(|error| error.to_string())?;
        match rounded.asked {
            None => Ok(rounded.size),
            Some((width, height)) => Err(format!("{width}x{height} is not even")),
        }
    }
}

fn parse(what: &'static str, text: &str) -> Result<u32, BadValue> {
    let value = text.parse().map_err(|_| refused(what, format!("{text:?}")))?;
    in_bounds(what, value).map(|()| value)
}

fn in_bounds(what: &'static str, value: u32) -> Result<(), BadValue> {
    if (MIN..=MAX).contains(&value) {
        return Ok(());
    }
    Err(refused(what, value.to_string()))
}

fn refused(what: &'static str, given: String) -> BadValue {
    BadValue::OutOfRange { what, min: MIN, max: MAX, unit: " pixels", given }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_sizes_are_rounded_up_and_said() {
        let rounded = PictureSize::rounded_up_to_even(641, 361).unwrap();
        assert_eq!(rounded.size.to_string(), "642x362");
        assert_eq!(rounded.asked, Some((641, 361)));
        let rounded = PictureSize::rounded_up_to_even(2559, 16).unwrap();
        assert_eq!((rounded.size.width(), rounded.size.height()), (2560, 16));
        assert_eq!(PictureSize::rounded_up_to_even(640, 360).unwrap().asked, None);
        for (width, height) in [(15, 720), (2561, 720), (1280, 0), (1280, u32::MAX)] {
            assert!(PictureSize::rounded_up_to_even(width, height).is_err());
        }
    }

    #[test]
    fn a_size_that_came_odd_or_large_in_a_file_is_refused() {
        let read = |text| serde_json::from_str::<PictureSize>(text);
        assert_eq!(read(r#"{"width":640,"height":360}"#).unwrap().to_string(), "640x360");
        assert!(read(r#"{"width":641,"height":360}"#).is_err());
        assert!(read(r#"{"width":640,"height":99999}"#).is_err());
    }
}
