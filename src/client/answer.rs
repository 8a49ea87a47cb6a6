//! What a gateway answers, and why there may be no answer.

use http::StatusCode;
use serde_json::Value;

use crate::complaint::Complaint;
use crate::session::exit::ExitCode;

/// What a request that was followed is answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// As it came.
    pub text: String,
    /// The object in it, out of its wrapping.
    pub body: Value,
}

/// Why a request was not followed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unanswered {
    /// The API's own word, with HTTP 200.
    #[error("{code}: {message} (request {request_id})")]
    Refused { code: String, message: String, request_id: String },
    #[error("{place} does not let this key in: {message} {hint}")]
    Denied { place: String, message: String, hint: &'static str },
    #[error(
        "there is no Action API at {place} ({status}: {message}); --url takes the base URL without /record, and \
         --path-prefix what is between the two"
    )]
    NotThere { place: String, status: StatusCode, message: String },
    #[error("{place} answered {status}, which is no answer of the Action API: {message}")]
    Strange { place: String, status: StatusCode, message: String },
    /// It was tried until then; what was said last.
    #[error("{place} did not answer within {seconds} s: {said}")]
    Late { place: String, seconds: u64, said: String },
    /// It may have been followed, and must not be sent again.
    #[error(
        "{said}; whether it was followed is not known. `panorec action list` tells; with a ClientToken in Data it would \
         have been tried again"
    )]
    Lost { said: String },
    #[error("this machine's clock is wrong: {0}")]
    Clock(String),
}

impl From<Unanswered> for Complaint {
    fn from(error: Unanswered) -> Complaint {
        let code = match &error {
            Unanswered::Refused { code, .. } if code.starts_with("Invalid") => ExitCode::Usage,
            Unanswered::Denied { .. } | Unanswered::NotThere { .. } => ExitCode::Usage,
            Unanswered::Refused { .. }
            | Unanswered::Strange { .. }
            | Unanswered::Late { .. }
            | Unanswered::Lost { .. }
            | Unanswered::Clock(_) => ExitCode::Internal,
        };
        Complaint::new(code, error)
    }
}

/// What came of one try.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    Answered(Answer),
    /// The same may be answered a little later. A sentence.
    NotNow(String),
    Failed(Unanswered),
}

/// Reads an answer.
pub(super) fn read(place: &str, status: StatusCode, text: String) -> Outcome {
    let json: Option<Value> = serde_json::from_str(&text).ok();
    let message = || said(json.as_ref(), &text);
    match status {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED => {
            let message = message();
            let hint = hint(&message);
            return Outcome::Failed(Unanswered::Denied { place: place.to_owned(), message, hint });
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            return Outcome::Failed(Unanswered::NotThere { place: place.to_owned(), status, message: message() });
        }
        StatusCode::TOO_MANY_REQUESTS => return Outcome::NotNow(message()),
        status if status.is_server_error() => return Outcome::NotNow(format!("{status}: {}", message())),
        _ => return Outcome::Failed(Unanswered::Strange { place: place.to_owned(), status, message: message() }),
    }
    let body = json.as_ref().map(|json| json.get("Response").unwrap_or(json)).filter(|body| body.is_object());
    let Some(body) = body.cloned() else {
        return Outcome::Failed(Unanswered::Strange { place: place.to_owned(), status, message: message() });
    };
    match body["ErrorCode"].as_str() {
        None => Outcome::Answered(Answer { text, body }),
        Some(code) => {
            let field = |name: &str| shortened(body[name].as_str().unwrap_or("unknown"));
            let (message, request_id) = (field("ErrorMessage"), field("RequestID"));
            Outcome::Failed(Unanswered::Refused { code: shortened(code), message, request_id })
        }
    }
}

/// The words of an answer that is none of the API.
fn said(json: Option<&Value>, text: &str) -> String {
    let message = json.and_then(|json| json["message"].as_str()).unwrap_or(text);
    match shortened(message) {
        words if words.is_empty() => "without a word".to_owned(),
        words => words,
    }
}

/// One line that a terminal can show.
fn shortened(text: &str) -> String {
    let line = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    line.collect::<Vec<_>>().join(" ").chars().take(400).collect()
}

/// What to look at.
fn hint(message: &str) -> &'static str {
    match message {
        _ if message.contains("missing") => "Give --key-id and --key-file.",
        _ if message.contains("apikey") => "Is --key-id right?",
        _ if message.contains("out of date") => "Set this machine's clock.",
        _ if message.contains("not match") => "Is the secret that of --key-id?",
        _ => "See docs/action-api.md, Signatures.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16, text: &str) -> Outcome {
        read("http://a.example/record", StatusCode::from_u16(status).unwrap(), text.to_owned())
    }

    #[track_caller]
    fn ends(status: u16, text: &str, code: ExitCode, says: &str) {
        let Outcome::Failed(error) = outcome(status, text) else { panic!("{status} {text} is no failure") };
        let complaint = Complaint::from(error);
        assert_eq!(complaint.code, code, "{complaint}");
        let said = complaint.to_string();
        assert!(said.contains(says) && said.lines().count() == 1, "{said}");
    }

    #[test]
    fn an_answer_is_kept_as_it_came() {
        for text in [r#"{"TaskID":"a","RequestID":"r"}"#, r#"{"Response":{"TaskID":"a","RequestID":"r"}}"#] {
            let Outcome::Answered(answer) = outcome(200, text) else { panic!("{text}") };
            assert_eq!((answer.text.as_str(), &answer.body["TaskID"]), (text, &"a".into()));
        }
    }

    #[test]
    fn every_failure_has_a_sentence_and_a_code() {
        let refused = r#"{"ErrorCode":"InvalidParam","ErrorMessage":"RecordURL is missing","RequestID":"r1"}"#;
        ends(200, refused, ExitCode::Usage, "InvalidParam: RecordURL is missing (request r1)");
        ends(200, &format!(r#"{{"Response":{refused}}}"#), ExitCode::Usage, "RecordURL is missing");
        let status = refused.replace("InvalidParam", "InvalidStatus");
        ends(200, &status, ExitCode::Usage, "InvalidStatus");
        ends(200, r#"{"ErrorCode":"InternalError","ErrorMessage":"a\n\u001b[2Jb"}"#, ExitCode::Internal, "a [2Jb");
        ends(
            401,
            r#"{"message":"HMAC signature does not match."}"#,
            ExitCode::Usage,
            "Is the secret that of --key-id?",
        );
        ends(401, "", ExitCode::Usage, "without a word");
        ends(404, r#"{"message":"There is no api match uri[/x]"}"#, ExitCode::Usage, "no api match uri[/x]");
        ends(405, "{}", ExitCode::Usage, "--path-prefix");
        ends(301, "moved", ExitCode::Internal, "301 Moved Permanently");
        ends(200, "<html>", ExitCode::Internal, "no answer of the Action API");
        ends(200, "[]", ExitCode::Internal, "no answer of the Action API");
    }

    #[test]
    fn what_passes_is_tried_again() {
        let limit = r#"{"message":"API rate limit exceeded."}"#;
        assert_eq!(outcome(429, limit), Outcome::NotNow("API rate limit exceeded.".to_owned()));
        assert_eq!(outcome(503, ""), Outcome::NotNow("503 Service Unavailable: without a word".to_owned()));
    }
}
