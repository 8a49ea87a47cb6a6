//! What is sent.

use serde_json::{Value, json};

/// A body, and whether it may be sent twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub body: String,
    pub again: Again,
}

/// When a request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// Also where its answer was lost: it does the same once more, or nothing.
    Always,
    /// Only where it surely was not followed: it would make a second recording.
    Unfollowed,
}

impl Request {
    /// An action with its Data.
    pub fn of(action: &str, data: &Value) -> Request {
        Request::raw(json!({ "Action": action, "Data": data }).to_string())
    }

    /// A body as somebody wrote it.
    pub fn raw(body: String) -> Request {
        let read = serde_json::from_str(&body).unwrap_or_default();
        let again = if starts_without_token(&read) { Again::Unfollowed } else { Again::Always };
        Request { body, again }
    }
}

/// A Start that the gateway cannot know again.
fn starts_without_token(body: &Value) -> bool {
    let starts = ["Action", "RecordAction"].iter().any(|name| body[name] == "Start");
    let token = |name: &str| body[name]["ClientToken"].as_str().is_some_and(|token| !token.trim().is_empty());
    starts && !token("Data") && !token("RecordData")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_start_without_a_token_is_sent_once() {
        for (body, again) in [
            (r#"{"Action":"Start","Data":{"RecordURL":"https://a.example/"}}"#, Again::Unfollowed),
            (r#"{"RecordAction":"Start","RecordData":{}}"#, Again::Unfollowed),
            (r#"{"Action":"Start","Data":{"ClientToken":" "}}"#, Again::Unfollowed),
            (r#"{"Action":"Start","Data":{"ClientToken":"a"}}"#, Again::Always),
            (r#"{"RecordAction":"Start","RecordData":{"ClientToken":"a"}}"#, Again::Always),
            (r#"{"Action":"Stop","Data":{"TaskID":"a"}}"#, Again::Always),
            ("[1]", Again::Always),
            ("no JSON", Again::Always),
        ] {
            assert_eq!(Request::raw(body.to_owned()), Request { body: body.to_owned(), again }, "{body}");
        }
        assert_eq!(Request::of("List", &json!({})).body, r#"{"Action":"List","Data":{}}"#);
    }
}
