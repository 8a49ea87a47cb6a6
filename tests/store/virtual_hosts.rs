//! A store that has the bucket in its host's name, as most in the cloud do.

use panorec::session::request::{Addressing, S3Destination};

use crate::Place;
use crate::proxy::{Proxy, Verdict};
use crate::server::{BUCKET, Server};
use crate::sessions::{inside_mounts, published, recorded};

const DOMAIN: &str = "store.test";

#[test]
fn a_bucket_in_the_hosts_name_is_written_to() {
    let (server, place) = (Server::with_domain(DOMAIN), Place::new());
    // It hears what is asked of which host, and passes it on as it is.
    let proxy = Proxy::before(server.address(), |_| Verdict::Pass);
    let port = proxy.url().rsplit(':').next().expect("a port").trim_end_matches('/').to_owned();
    let destination = S3Destination {
        addressing: Addressing::VirtualHosted,
        ..place.destination(&format!("http://{DOMAIN}:{port}"))
    };
    // Long enough for several parts.
    let session = recorded(&place, destination, 10);
    // The names are found in a file of this command's own.
    let hosts = place.path().join("hosts");
    std::fs::write(&hosts, format!("127.0.0.1 {DOMAIN} {BUCKET}.{DOMAIN}\n")).expect("written");
    let (code, report, said) =
        published(inside_mounts(&format!("mount --bind {} /etc/hosts", hosts.display()), &session));
    assert_eq!(code, Some(0), "{said}");
    let video = &report["result"]["videos"][0];
    assert_eq!(video["url"], format!("http://{BUCKET}.{DOMAIN}:{port}/2026/maths/lesson.mp4"), "{report}");
    let seen = proxy.seen();
    let host = format!("{BUCKET}.{DOMAIN}:{port}");
    assert!(seen.iter().all(|seen| seen.header("host") == host && !seen.target.contains(BUCKET)), "{seen:#?}");
    assert!(seen.iter().filter(|seen| seen.is_part()).count() >= 2, "{seen:#?}");
    let made = std::fs::read(session.join("publisher/output/lesson.mp4")).expect("the video");
    assert!(server.read("2026/maths/lesson.mp4") == made, "not the same bytes");
    println!("    {} requests, {} MiB, all to {host}", seen.len(), made.len() >> 20);
}
