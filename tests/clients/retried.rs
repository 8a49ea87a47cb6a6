//! What `panorec action` does when answers get lost, say no, or are to be waited for.

use serde_json::{Value, json};

use crate::listener::{Listener, Reply};
use crate::programs::{Said, panorec};
use crate::says;

const PAGE: &str = "https://school.example/lesson";

fn asked(listener: &Listener, args: &[&str]) -> Said {
    panorec(&listener.url, args).output().unwrap().into()
}

fn of(body: Value) -> Reply {
    Reply::Json(200, body)
}

#[test]
fn a_start_whose_answer_was_lost_is_the_same_start_again() {
    let started = json!({"TaskID": "7a0313e2-9a42-4f5b-a3b0-1d5d0a1a2b3c", "RequestID": "r"});
    let busy = Reply::Json(429, json!({"message": "API rate limit exceeded."}));
    let listener = Listener::new([Reply::Lost, busy, of(started.clone())]);
    let said = asked(&listener, &["start", PAGE]);
    assert_eq!((said.code, said.out), (Some(0), format!("{started}\n")), "{}", said.err);
    let sent: Vec<Value> = (0..3).map(|_| listener.next().json()).collect();
    assert!(sent[0]["Data"]["ClientToken"].as_str().is_some_and(|token| !token.is_empty()));
    assert_eq!((&sent[1], &sent[2]), (&sent[0], &sent[0]));
}

#[test]
fn a_start_that_is_not_answered_in_time_can_be_gone_on_with() {
    let listener = Listener::new(std::iter::repeat(Reply::Lost));
    let said = asked(&listener, &["start", PAGE, "--deadline", "1s"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    let token = listener.next().json()["Data"]["ClientToken"].as_str().unwrap().to_owned();
    says(&said.err, &format!("add --client-token {token}"));
}

#[test]
fn a_start_without_a_token_is_sent_once() {
    let listener = Listener::new(std::iter::repeat(Reply::Lost));
    let body = json!({"Action": "Start", "Data": {"RecordURL": PAGE}}).to_string();
    let said = asked(&listener, &["raw", &body]);
    assert_eq!(said.code, Some(1));
    says(&said.err, "whether it was followed is not known");
    assert_eq!(listener.count(), 1);
}

#[test]
fn a_no_is_a_sentence_and_a_code() {
    for (status, body, code, words) in [
        (
            200,
            json!({"ErrorCode": "InvalidParam", "ErrorMessage": "invalid task id, task not found", "RequestID": "r"}),
            2,
            "InvalidParam: invalid task id, task not found (request r)",
        ),
        (
            200,
            json!({"ErrorCode": "InternalError", "ErrorMessage": "start record failed(x)"}),
            1,
            "start record failed(x)",
        ),
        (401, json!({"message": "HMAC apikey is invalid for API."}), 2, "Is --key-id right?"),
        (404, json!({"message": "There is no api match uri[/record]"}), 2, "--path-prefix"),
    ] {
        let listener = Listener::new([Reply::Json(status, body)]);
        let said = asked(&listener, &["stop", "lesson"]);
        assert_eq!((said.code, said.out.as_str()), (Some(code), ""), "{}", said.err);
        says(&said.err, words);
        assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    }
}

#[test]
fn a_task_is_waited_for_and_judged() {
    let status = |status: &str| of(json!({"TaskID": "lesson", "Status": status, "RequestID": "r"}));
    let finished =
        |result: Value| json!({"TaskID": "lesson", "Status": "finished", "Result": result, "RequestID": "r"});
    let video = json!({"Filename": "a.mp4", "FileSize": 1, "FileDuration": 1.5});
    for (result, code, words) in [
        (json!({"Videos": [video]}), 0, ""),
        (json!({"Videos": []}), 4, "nothing was recorded"),
        (json!({"Videos": [], "ErrorCode": "InternalErr", "ErrorMessage": "no page"}), 1, "InternalErr: no page"),
    ] {
        let last = finished(result);
        let listener = Listener::new([status("recording"), status("recording"), of(last.clone())]);
        let said = asked(&listener, &["describe", "lesson", "--wait", "finished"]);
        assert_eq!((said.code, said.out), (Some(code), format!("{last}\n")), "{}", said.err);
        says(&said.err, "lesson: recording\nlesson: finished\n");
        says(&said.err, words);
    }
    let listener = Listener::new(std::iter::repeat(status("paused")));
    let said = asked(&listener, &["describe", "lesson", "--wait", "canceled", "--within", "1s"]);
    assert_eq!(said.code, Some(1));
    says(&said.err, "still paused after 1 s");
}

#[test]
fn what_a_list_asks_for_is_in_utc() {
    let listener = Listener::new([of(json!({"Total": 0, "Tasks": [], "RequestID": "r"}))]);
    let args = ["list", "--status", "running", "--from", "2026-03-01", "--to", "2026-03-01T08:00:00+08:00"];
    assert_eq!(asked(&listener, &args).code, Some(0));
    let data = json!({"Status": "running", "StartTime": "2026-03-01 00:00:00", "EndTime": "2026-03-01 00:00:00"});
    assert_eq!(listener.next().json(), json!({"Action": "List", "Data": data}));
}
