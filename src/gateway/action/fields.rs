//! Reading fields as leniently as clients write them: numbers and truth values as text, blank for absent.

use std::fmt::Display;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// An object of a request. Fields that nobody asks for are of no interest.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    object: Option<&'a Map<String, Value>>,
    /// How messages name what is in it, as in `Vod.MediaInfo.`; empty for Data itself.
    path: &'static str,
}

impl<'a> Fields<'a> {
    /// A value that should be an object; null is an empty one.
    pub fn of(value: Option<&'a Value>, name: &str, path: &'static str) -> Result<Fields<'a>, Refusal> {
        match value {
            None | Some(Value::Null) => Ok(Fields { object: None, path }),
            Some(Value::Object(object)) => Ok(Fields { object: Some(object), path }),
            Some(_) => Err(Refusal::parameter(format!("{name} must be an object"))),
        }
    }

    /// The object `name` in this one; its fields are named with `path`.
    pub fn object(&self, name: &str, path: &'static str) -> Result<Fields<'a>, Refusal> {
        Fields::of(self.value(name), &self.named(name), path)
    }

    /// The object, if it is there.
    pub fn given(self) -> Option<Fields<'a>> {
        self.object.map(|_| self)
    }

    /// Any value but null.
    pub fn value(&self, name: &str) -> Option<&'a Value> {
        self.object?.get(name).filter(|value| !value.is_null())
    }

    /// A text as it stands, if it is not empty; a number is as good.
    pub fn raw_text(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(self.refuse(name, "must be a text")),
        }
    }

    /// A text without space around it; blank is absent.
    pub fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        let text = self.raw_text(name)?;
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// What a text says.
    pub fn parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let text = self.text(name)?;
        text.map(|text| text.parse().map_err(|error: T::Err| self.invalid(name, error))).transpose()
    }

    /// One of a few words, in whatever case.
    pub fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let known = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text));
        let all = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        known.map(|(_, meant)| Some(*meant)).ok_or_else(|| self.refuse(name, format!("must be one of {}", all())))
    }

    /// A number, finite.
    pub fn number(&self, name: &str) -> Result<Option<f64>, Refusal> {
        let number = match self.value(name) {
            Some(Value::Number(number)) => number.as_f64(),
            _ => match self.text(name)? {
                None => return Ok(None),
                Some(text) => text.parse().ok(),
            },
        };
        match number.filter(|number: &f64| number.is_finite()) {
            Some(number) => Ok(Some(number)),
            None => Err(self.refuse(name, "must be a number")),
        }
    }

    /// A whole number from 0 to `most`; `out_of_range` is said of any other number beyond.
    pub fn whole(&self, name: &str, most: u64, out_of_range: &str) -> Result<Option<u64>, Refusal> {
        let Some(number) = self.number(name)? else { return Ok(None) };
        // Exact up to 2^53, and nothing here may be more.
        if !(0.0..=most as f64).contains(&number) {
            return Err(Refusal::parameter(out_of_range));
        }
        match number.fract() == 0.0 {
            true => Ok(Some(number as u64)),
            false => Err(self.refuse(name, "must be a whole number")),
        }
    }

    /// A number such as VOD's, which may be an id.
    pub fn id(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let sentence = format!("{} must be a whole number from 0 to {MOST_ID}", self.named(name));
        self.whole(name, MOST_ID, &sentence)
    }

    /// A truth value: true, false, "true", "false", 1 or 0.
    pub fn truth(&self, name: &str) -> Result<Option<bool>, Refusal> {
        if let Some(Value::Bool(truth)) = self.value(name) {
            return Ok(Some(*truth));
        }
        let refuse = || self.refuse(name, "must be true or false");
        match self.text(name).map_err(|_| refuse())?.map(|text| text.to_ascii_lowercase()).as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(refuse()),
        }
    }

    /// What a number is, within its bounds.
    pub fn bounded<T, E: Display>(
        &self,
        name: &str,
        bounded: impl FnOnce(u32) -> Result<T, E>,
    ) -> Result<Option<T>, Refusal> {
        let sentence = format!("{} is too large", self.named(name));
        let number = self.whole(name, u32::MAX.into(), &sentence)?;
        let number = number.map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        number.map(bounded).transpose().map_err(|error| self.invalid(name, error))
    }

    /// Says that a field is not as it should be.
    pub fn refuse(&self, name: &str, why: impl Display) -> Refusal {
        Refusal::parameter(format!("{} {why}", self.named(name)))
    }

    /// Says what is wrong with a field, in the words of whoever knows.
    pub fn invalid(&self, name: &str, why: impl Display) -> Refusal {
        self.refuse(name, format_args!("is invalid: {why}"))
    }

    fn named(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }
}

/// What every reader of JSON takes exactly.
const MOST_ID: u64 = (1 << 53) - 1;
