//! Where a page may connect to: with keys nowhere but to public addresses and what is allowed.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::place::{DEADLINE, Place, end};
use crate::support::{Scratch, Server};

/// Ways that a page has, of egress.html; preconnect says nothing when it is connected.
const WAYS: usize = 18;

/// Listens where nobody should come; what was asked for, or that somebody connected.
struct Trap {
    port: u16,
    caught: Arc<Mutex<BTreeSet<String>>>,
}

impl Trap {
    fn set() -> Trap {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let caught = Arc::<Mutex<BTreeSet<String>>>::default();
        let other = TcpListener::bind(("::1", port)).ok();
        for listener in [Some(listener), other].into_iter().flatten() {
            let caught = Arc::clone(&caught);
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let caught = Arc::clone(&caught);
                    std::thread::spawn(move || catch(stream, &caught));
                }
            });
        }
        Trap { port, caught }
    }

    fn caught(&self) -> BTreeSet<String> {
        self.caught.lock().unwrap().clone()
    }
}

fn catch(stream: TcpStream, caught: &Mutex<BTreeSet<String>>) {
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
    let mut line = String::new();
    let _ = BufReader::new(stream).read_line(&mut line);
    let way =
        line.split_once("way=").map_or("connected", |(_, rest)| rest.split(['&', ' ']).next().unwrap_or_default());
    caught.lock().unwrap().insert(way.to_owned());
}

/// Records the page that tries everything until `enough`; the session's result.
fn tried(place: &Place, key: Option<&str>, url: &str, enough: impl Fn() -> bool) -> Value {
    let run = place.serve();
    let client = match key {
        Some(secret) => place.client().signing("school", secret),
        None => place.client(),
    };
    let task = client.start(json!({"RecordURL": url, "Width": 640, "Height": 360, "FrameRate": 15}));
    client.until(&task, "recording", DEADLINE);
    let until = Instant::now() + DEADLINE;
    while !enough() {
        assert!(Instant::now() < until, "the page has not tried it all");
        std::thread::sleep(Duration::from_millis(100));
    }
    client.tell("Stop", &task);
    let finished = client.until(&task, "finished", DEADLINE);
    assert_eq!(finished["Result"]["Videos"].as_array().map(Vec::len), Some(1), "{finished}");
    let result = place.result(&task);
    end(run);
    result
}

#[test]
fn a_page_reaches_what_is_allowed_and_nothing_else() {
    let (trap, open) = (Trap::set(), Trap::set());
    let hosts = [
        "127.0.0.1",
        "localhost",
        "x.localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
    ];
    let traps = hosts.map(|host| format!("{host}:{}", trap.port)).join(",");
    let elsewhere = "169.254.169.254,10.0.0.1,192.168.0.1,[fd00:ec2::254]";
    let server = Server::on("127.0.0.2", None, std::collections::HashMap::new());
    let query = |rest: &str| server.url(&format!("egress.html?trap={traps},{elsewhere}{rest}"));

    // Without keys all the ways lead there: what is caught by none of them below would show nothing else.
    let place = Place::new(&[]);
    tried(&place, None, &query(""), || trap.caught().len() > WAYS);
    println!("    caught without a guard: {:?}", trap.caught());
    trap.caught.lock().unwrap().clear();

    let scratch = Scratch::new();
    let keys = scratch.join("keys.json");
    std::fs::write(&keys, r#"{"keys": [{"id": "school", "secret": "s"}]}"#).unwrap();
    let guarded = ["--keys", keys.to_str().unwrap(), "--egress-allow", "127.0.0.2,127.0.0.3"];
    // It listens at all addresses for one that is allowed.
    let stand_in = format!("&open=127.0.0.3:{}", open.port);
    let forwarded = TcpListener::bind(("127.0.0.3", open.port)).expect("the same port");
    let caught = Arc::clone(&open.caught);
    std::thread::spawn(move || {
        for stream in forwarded.incoming().flatten() {
            let caught = Arc::clone(&caught);
            std::thread::spawn(move || catch(stream, &caught));
        }
    });
    let place = Place::new(&guarded);
    let result = tried(&place, Some("s"), &query(&stand_in), || open.caught().len() >= WAYS);
    println!("    caught at what is allowed: {:?}", open.caught());
    assert!(trap.caught().is_empty(), "caught: {:?}", trap.caught());
    let warnings = result["warnings"].to_string();
    for host in ["127.0.0.1", "localhost", "connections of the page were refused"] {
        assert!(warnings.contains(host), "no {host} in {warnings}");
    }
}

#[test]
fn a_page_that_may_not_be_reached_is_told_why() {
    let server = Server::start();
    let scratch = Scratch::new();
    let keys = scratch.join("keys.json");
    std::fs::write(&keys, r#"{"keys": [{"id": "school", "secret": "s"}]}"#).unwrap();
    let place = Place::new(&["--keys", keys.to_str().unwrap()]);
    let run = place.serve();
    let client = place.client().signing("school", "s");
    for (url, words) in [
        (server.url("clock.html"), "127.0.0.1 may not be reached: its address 127.0.0.1 is this machine's own"),
        ("https://10.1.2.3/".to_owned(), "10.1.2.3 may not be reached: its address 10.1.2.3 is private"),
        ("https://no-such-host.invalid/".to_owned(), "no-such-host.invalid cannot be resolved"),
    ] {
        let task = client.start(json!({"RecordURL": url, "Width": 640, "Height": 360}));
        let finished = client.until(&task, "finished", DEADLINE);
        let message = finished["Result"]["ErrorMessage"].as_str().unwrap_or_default();
        assert!(message.contains(words), "{finished}");
    }
    assert!(server.asked().is_empty(), "{:?}", server.asked());
    end(run);
}
