//! What is said of the objects: metadata and tags as another client finds them, encryption as it is asked for.

use std::collections::BTreeMap;

use panorec::session::request::{Metadata, S3Destination, Tags};

use crate::proxy::{Proxy, Seen, Verdict, strict};
use crate::server::{BUCKET, Server};
use crate::{MIB, Place, Remembered, deliver};

/// A file that goes at once, and one that goes in parts.
const FILES: [(&str, usize); 2] = [("small.mp4", 9), ("large.mp4", 9 * MIB)];

#[test]
fn metadata_and_tags_are_there_for_another_client() {
    let (server, place) = (Server::start(), Place::new());
    let proxy = Proxy::before(server.address(), strict);
    let all = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let destination = S3Destination {
        metadata: Metadata::try_from(all(&[("lesson", "12 of 30"), ("teacher", "a=b;c")])).expect("metadata"),
        tags: Tags::try_from(all(&[("Class", "7 b+c"), ("Schuljahr", "2026/27 é")])).expect("tags"),
        ..place.destination(&proxy.url())
    };
    for (name, bytes) in FILES {
        deliver(&destination, &Remembered::default(), &place.file(name, bytes)).expect("delivered");
        let of = format!("Bucket={BUCKET:?}, Key='2026/maths/{name}'");
        let metadata = server.boto(&format!("sorted(s3.head_object({of})['Metadata'].items())"));
        assert_eq!(metadata, "[('lesson', '12 of 30'), ('teacher', 'a=b;c')]", "{name}");
        let tags =
            server.boto(&format!("sorted((t['Key'], t['Value']) for t in s3.get_object_tagging({of})['TagSet'])"));
        assert_eq!(tags, "[('Class', '7 b+c'), ('Schuljahr', '2026/27 é')]", "{name}");
    }
}

#[test]
fn encryption_is_asked_for_where_an_object_is_made() {
    let (server, place) = (Server::start(), Place::new());
    for (encryption, expected) in
        [("AES256", ("AES256", "")), ("aws:kms", ("aws:kms", "")), ("aws:kms:a-key", ("aws:kms", "a-key"))]
    {
        let proxy = Proxy::before(server.address(), |_| Verdict::Pass);
        let destination = S3Destination {
            encryption: Some(encryption.parse().expect("an encryption")),
            ..place.destination(&proxy.url())
        };
        for (name, bytes) in FILES {
            deliver(&destination, &Remembered::default(), &place.file(name, bytes)).expect("delivered");
        }
        let said = |seen: &Seen| {
            let header = |name: &str| seen.header(name).to_owned();
            (header("x-amz-server-side-encryption"), header("x-amz-server-side-encryption-aws-kms-key-id"))
        };
        let seen = proxy.seen();
        let (make, others): (Vec<&Seen>, Vec<&Seen>) = seen.iter().partition(|seen| {
            (seen.method == "PUT" && !seen.is_part()) || seen.target.contains("uploads") && seen.method == "POST"
        });
        assert_eq!(make.len(), FILES.len());
        assert!(make.iter().all(|seen| said(seen) == (expected.0.to_owned(), expected.1.to_owned())), "{make:#?}");
        assert!(others.iter().all(|seen| said(seen) == Default::default()), "{others:#?}");
    }
}
