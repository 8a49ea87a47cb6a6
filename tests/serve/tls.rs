//! https, with a certificate that changes while it serves.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::place::{Place, end};
use crate::support::Scratch;

/// A certificate that signs itself, under this name, and its key.
fn certificate(folder: &Path, name: &str) {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", &format!("/CN={name}"), "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem"])
        .args(["-out", "cert.pem"])
        .current_dir(folder)
        .output()
        .expect("openssl starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What a client that trusts this certificate alone is answered; None: it does not come to that.
fn asked(url: &str, trusted: &Path) -> Option<String> {
    let output = Command::new("curl")
        .args(["-s", "--max-time", "10", "--cacert"])
        .arg(trusted)
        .args(["--json", r#"{"Action": "List"}"#, url])
        .output()
        .expect("curl starts");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_certificate_is_exchanged_while_it_serves() {
    let scratch = Scratch::new();
    let (cert, key) = (scratch.join("cert.pem"), scratch.join("key.pem"));
    certificate(scratch.path(), "first");
    let place = Place::new(&["--tls-cert", &cert.display().to_string(), "--tls-key", &key.display().to_string()]);
    let run = place.serve();
    assert!(run.stderr().contains("listening at https://127.0.0.1:"), "{}", run.stderr());
    let url = format!("https://{}/record", place.address());
    let first = scratch.join("first.pem");
    std::fs::copy(&cert, &first).expect("copied");
    let answer = asked(&url, &first).expect("an answer");
    assert!(answer.contains(r#""Total":0"#), "{answer}");
    certificate(scratch.path(), "second");
    let began = Instant::now();
    while asked(&url, &cert).is_none() {
        assert!(began.elapsed() < Duration::from_secs(60), "the first certificate stays");
        std::thread::sleep(Duration::from_millis(200));
    }
    println!("    the new one after {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(asked(&url, &first), None, "the old one is not given any more");
    end(run);
}
