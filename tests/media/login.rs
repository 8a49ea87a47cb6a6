//! The login state of `--login`: the page has it from its first document on, nobody else has it,
//! and what the page makes of it stays.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Kind, Panorec, Scratch, Server};

/// Tells its server what it finds, and changes it.
const PAGE: &str = r#"<!doctype html><title>lesson</title><h1>lesson</h1><script>
(async () => {
  const found = { cookie: document.cookie, token: localStorage.token, secret: typeof STORED };
  localStorage.token = 'renewed';
  document.cookie = 'seat=renewed; path=/; max-age=3600';
  const asked = (url) => fetch(url).then((answer) => answer.json());
  found.own = await asked('/headers');
  found.away = await asked('OTHER/headers');
  found.redirected = await asked('/redirect?to=OTHER/headers');
  await fetch('/found', { method: 'POST', body: JSON.stringify(found) });
})();
</script>"#;

const DEADLINE: Duration = Duration::from_secs(30);

fn found(server: &Server) -> Value {
    let body = server.posted("/found", DEADLINE).expect("the page tells what it finds");
    serde_json::from_slice(&body).expect("JSON")
}

#[test]
fn the_page_is_signed_in_and_its_server_alone_sees_the_headers() {
    let scratch = Scratch::new();
    let other = Server::start();
    let server = Server::with(Some(scratch.path().to_owned()), HashMap::new());
    fs::write(scratch.join("page.html"), PAGE.replace("OTHER/", &other.url(""))).expect("the page");
    let origin = server.url("").trim_end_matches('/').to_owned();
    let login = json!({
        "cookies": [
            { "name": "seat", "value": "given", "domain": "127.0.0.1", "path": "/" },
            { "name": "sid", "value": "given", "httpOnly": true },
        ],
        "headers": { "X-Lesson": "given" },
        "origins": [{ "origin": origin, "localStorage": [{ "name": "token", "value": "given" }] }],
    });
    let file = scratch.join("login.json");
    fs::write(&file, login.to_string()).expect("the login");
    let mut run = Panorec::record(&server.url("extra/page.html"), &scratch.join("out.mp4"), &scratch)
        .arg("--login")
        .arg(&file)
        .spawn();
    let first = found(&server);
    println!("    {first}");
    assert_eq!(first["token"], "given");
    assert_eq!(first["cookie"], "seat=given", "the other one is for the server alone");
    assert!(first["own"]["cookie"].as_str().is_some_and(|all| all.contains("sid=given")), "{first}");
    assert_eq!(first["own"]["x-lesson"], "given");
    assert_eq!(first["away"]["x-lesson"], Value::Null, "the header went to another server");
    assert_eq!(first["redirected"]["x-lesson"], Value::Null, "the header followed a redirect");
    assert_eq!(first["secret"], "undefined");
    run.wait_recording();
    run.ctl("refresh");
    let reloaded = found(&server);
    println!("    after a reload: {reloaded}");
    assert_eq!(reloaded["token"], "renewed", "what the page changed was put back");
    assert_eq!(reloaded["cookie"], "seat=renewed", "what the page changed was put back");
    run.kill9(Kind::Browser);
    let restarted = found(&server);
    println!("    in another Chrome: {restarted}");
    // What a killed Chrome had not written yet is given anew.
    assert_ne!(restarted["token"], Value::Null);
    for after in [reloaded, restarted] {
        assert!(after["own"]["cookie"].as_str().is_some_and(|all| all.contains("sid=given")), "{after}");
        assert_eq!(after["own"]["x-lesson"], "given");
    }
    run.wait_for("gapEnded", 1);
    run.ctl("stop");
    let session = run.session().to_owned();
    run.end(Duration::ZERO).assert_done();
    let request = fs::read_to_string(session.join("recorder/request.json")).expect("the request");
    assert!(!request.contains("given"), "a secret is in the session: {request}");
}
