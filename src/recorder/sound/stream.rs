//! Reading the null sink's monitor.

use std::ffi::CString;
use std::os::unix::net::UnixStream;

use pulseaudio::protocol::stream::{BufferAttr, StreamFlags};
use pulseaudio::protocol::{ChannelMap, ChannelPosition, RecordStreamParams, SampleFormat, SampleSpec};
use pulseaudio::{Client, RecordStream};

use super::clock::SoundClock;
use super::daemon::{SINK, SoundError};
use crate::recorder::clock::now_us;

/// Samples a second and channel; what the sink, the parts and the result have.
pub const SAMPLE_RATE: u32 = 48_000;
/// Left and right.
pub const CHANNELS: u8 = 2;
/// Bytes of one sample of all channels (16 bit).
const FRAME_BYTES: usize = 4;
/// The sink renders in blocks of what its most demanding client asks for. While nothing plays that
/// is us; each block costs the daemon and us some wake-ups. Chrome asks for 10 to 25 ms.
const FRAGMENT_MS: u32 = 40;

/// Bytes of a cookie (PA_NATIVE_COOKIE_LENGTH); the daemon wants one even where it does not look.
const COOKIE: usize = 256;

/// A stretch of sound: 16-bit little-endian samples, left and right in turn.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// When its first sample was played, monotonic clock, in microseconds.
    pub at_us: i64,
    pub data: Vec<u8>,
}

/// The joined stream; leaves the sink when dropped.
#[derive(Debug)]
pub struct Monitor {
    _stream: RecordStream,
    _client: Client,
}

/// Joins the sink. `tell` gets each chunk on the client's own thread and must not block.
pub async fn join(socket: UnixStream, mut tell: impl FnMut(Chunk) + Send + 'static) -> Result<Monitor, SoundError> {
    let refused = |e: &dyn std::fmt::Display| SoundError::Refused(e.to_string());
    // The handshake blocks, though only for the daemon beside us.
    let client = tokio::task::block_in_place(|| Client::new_unix(c"panorec", socket, Some([0; COOKIE])))
        .map_err(|e| refused(&e))?;
    let mut map = ChannelMap::empty();
    map.push(ChannelPosition::FrontLeft);
    map.push(ChannelPosition::FrontRight);
    let source = CString::new(format!("{SINK}.monitor")).map_err(|e| refused(&e))?;
    let params = RecordStreamParams {
        sample_spec: SampleSpec { format: SampleFormat::S16Le, channels: CHANNELS, sample_rate: SAMPLE_RATE },
        channel_map: map,
        source_name: Some(source),
        buffer_attr: BufferAttr {
            max_length: u32::MAX,
            fragment_size: SAMPLE_RATE / 1000 * FRAGMENT_MS * FRAME_BYTES as u32,
            ..Default::default()
        },
        flags: StreamFlags { adjust_latency: true, ..Default::default() },
        ..Default::default()
    };
    let mut clock = SoundClock::default();
    let sink = move |data: &[u8]| {
        let at_us = clock.arrive(now_us(), (data.len() / FRAME_BYTES) as u64);
        tell(Chunk { at_us, data: data.to_vec() });
    };
    let stream = client.create_record_stream(params, sink).await.map_err(|e| refused(&e))?;
    stream.started().await.map_err(|e| refused(&e))?;
    Ok(Monitor { _stream: stream, _client: client })
}
