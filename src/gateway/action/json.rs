//! JSON that says everything once.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::refusal::Refusal;

/// Reads a JSON text in UTF-8, with a byte order mark or without one. Nesting beyond 128 levels, numbers beyond f64 and
/// a key that an object has twice are refused: one reader would take the first of the two, another one the last.
///
/// # Errors
/// A sentence with the place.
pub(super) fn parse(text: &[u8]) -> Result<Value, Refusal> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Once.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| Refusal::parameter(format!("the body must be JSON in UTF-8: {error}")))
}

/// Any value, with each key once.
#[derive(Clone, Copy)]
struct Once;

impl<'de> DeserializeSeed<'de> for Once {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                let shown: String = key.chars().take(80).collect();
                return Err(A::Error::custom(format_args!("an object has the key {shown:?} twice")));
            }
            let value = entries.next_value_seed(self)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::action::ErrorCode;

    #[test]
    fn json_is_read_as_it_is() {
        let text = r#"{"a":[1,-2,3.5,"x",null,true,{"b":{}}],"c":18446744073709551615}"#;
        assert_eq!(parse(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(parse(b"\xef\xbb\xbf{}").unwrap(), Value::Object(Map::new()));
    }

    #[test]
    fn what_is_no_json_is_refused_with_a_sentence() {
        let deep = "[".repeat(100_000);
        let deep_object = r#"{"a":"#.repeat(100_000);
        for text in [
            &b""[..],
            b"Action=Start",
            b"{",
            br#"{"a":1}{"#,
            br#"{"a":NaN}"#,
            br#"{"a":1e999}"#,
            br#"{"a":Infinity}"#,
            br#"{"a":1,"a":2}"#,
            br#"{"b":{"a":1,"a":2}}"#,
            b"{\"a\":\"\xff\xfe\"}",
            b"\xff\xfe{\0}\0",
            br#"{"a":"\ud800"}"#,
            deep.as_bytes(),
            deep_object.as_bytes(),
        ] {
            let refusal = parse(text).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::InvalidParam);
            assert!(refusal.message.starts_with("the body must be JSON in UTF-8: "), "{refusal}");
        }
    }
}
