//! What those who have keys may make it reach.

use std::collections::HashMap;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::place::{DEADLINE, Place, end};
use crate::support::server::Answer;
use crate::support::{Scratch, Server};

/// A short recording whose callback is this URL, as it is described at the end.
fn recorded(server: &Server, callback: &str, args: &[&str]) -> Value {
    let scratch = Scratch::new();
    let keys = scratch.join("keys.json");
    std::fs::write(&keys, r#"{"keys": [{"id": "school", "secret": "s"}]}"#).unwrap();
    let keys = ["--keys", keys.to_str().unwrap(), "--page-egress", "open"];
    let place = Place::new(&[&keys[..], args].concat());
    let run = place.serve();
    let client = place.client().signing("school", "s");
    let task = client.start(json!({
        "RecordURL": server.url("clock.html"), "Width": 640, "Height": 360, "FrameRate": 15, "CallbackURL": callback,
    }));
    client.until(&task, "recording", DEADLINE);
    sleep(Duration::from_secs(1));
    client.tell("Stop", &task);
    let finished = client.until(&task, "finished", DEADLINE);
    end(run);
    finished
}

#[test]
fn a_callback_into_this_machine_is_refused_unless_the_installation_allows_it() {
    let took_it: Answer = Box::new(|_| (204, Vec::new()));
    let server = Server::with(None, HashMap::from([("/callback".to_owned(), took_it)]));
    let by_address = server.url("callback");
    let by_name = by_address.replace("127.0.0.1", "localhost");
    for (url, host) in [(&by_address, "127.0.0.1"), (&by_name, "localhost")] {
        let finished = recorded(&server, url, &[]);
        let result = &finished["Result"];
        assert_eq!(result["ErrorCode"], "CallbackFailed", "{finished}");
        let words = result["ErrorMessage"].as_str().unwrap();
        let refused = "Callback failed even all tries. last error message:ERR_ADDRESS_REFUSED:";
        assert!(words.starts_with(&format!("{refused}{host} may not be reached: its address ")), "{words}");
        assert_eq!(result["Videos"].as_array().map(Vec::len), Some(1), "{finished}");
    }
    assert!(server.posted("/callback", Duration::ZERO).is_none(), "it was reached");

    for allowed in ["--egress-allow=127.0.0.0/8", "--egress-allow=localhost"] {
        let url = if allowed.ends_with("localhost") { &by_name } else { &by_address };
        let finished = recorded(&server, url, &[allowed]);
        assert!(finished["Result"].get("ErrorCode").is_none(), "{finished}");
        assert!(server.posted("/callback", DEADLINE).is_some(), "not told");
    }
}
