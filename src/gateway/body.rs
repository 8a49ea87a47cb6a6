//! Reading a request's body within bounds, whatever is sent.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt;

/// As much as a request may have, in bytes: its login state is the largest part of it.
pub(super) const LARGEST: usize = 1 << 20;
/// Of what is too large so much is read and thrown away, in bytes, so that the client gets to read the answer: a
/// connection that is closed while a client still sends looks to it like one that was dropped.
const DRAINED: usize = 256 << 20;
/// All of a body has to come in this time.
const SLOW: Duration = Duration::from_secs(30);

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadBody {
    #[error("the body must be at most {LARGEST} bytes")]
    TooLarge,
    #[error("the body must arrive within {} seconds", SLOW.as_secs())]
    TooSlow,
    #[error("the body ended before its end")]
    Broken,
}

/// Reads a body into memory, at most [`LARGEST`] bytes of it.
///
/// # Errors
/// It is too large, too slow, or broken off.
pub(super) async fn read(body: Body) -> Result<Bytes, BadBody> {
    read_within(SLOW, body).await
}

async fn read_within(time: Duration, body: Body) -> Result<Bytes, BadBody> {
    tokio::time::timeout(time, collect(body)).await.unwrap_or(Err(BadBody::TooSlow))
}

async fn collect(body: Body) -> Result<Bytes, BadBody> {
    let mut pieces = body.into_data_stream();
    let (mut whole, mut length) = (Vec::new(), 0_usize);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| BadBody::Broken)?;
        length = length.saturating_add(piece.len());
        if length <= LARGEST {
            whole.extend_from_slice(&piece);
        } else if length <= DRAINED {
            whole = Vec::new();
        } else {
            return Err(BadBody::TooLarge);
        }
    }
    if length > LARGEST { Err(BadBody::TooLarge) } else { Ok(whole.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_read_up_to_its_bound() {
        let of = |length: usize| Body::from(vec![b' '; length]);
        assert_eq!(read(of(0)).await.unwrap().len(), 0);
        assert_eq!(read(of(LARGEST)).await.unwrap().len(), LARGEST);
        assert!(matches!(read(of(LARGEST + 1)).await, Err(BadBody::TooLarge)));
        let broken = futures::stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("gone"))]);
        assert!(matches!(read(Body::from_stream(broken)).await, Err(BadBody::Broken)));
        let pieces =
            futures::stream::iter((0..3).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![0; LARGEST / 2 + 1]))));
        assert!(matches!(read(Body::from_stream(pieces)).await, Err(BadBody::TooLarge)));
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let never = futures::stream::pending::<Result<Bytes, std::io::Error>>();
        assert!(matches!(read_within(Duration::ZERO, Body::from_stream(never)).await, Err(BadBody::TooSlow)));
    }
}
