//! Writes a live stream for FFmpeg's stdin: microsecond times, one cluster a packet, no seeking.

use std::io::{self, IoSlice, Write};

use super::{head, ids};
use crate::media::ebml::{Put, UNKNOWN_SIZE};
use crate::media::packet::{AudioCodec, AudioTrack, Packet, SAMPLE_RATE, TrackKind, Tracks, VideoCodec, VideoTrack};

const SCALE_NS: u64 = 1000;

/// Writes a stream with exact times: raw pictures and sound for the encoder, or encoded packets
/// for the packager. Nothing is buffered here: each call writes one whole packet.
#[derive(Debug)]
pub struct FeedWriter<W> {
    out: W,
    picture: Option<(usize, usize)>,
}

/// The tracks of the recorder's feed: I420 pictures and 48 kHz stereo s16le samples.
///
/// Width and height are in pixels and even: chroma planes are half of each.
pub fn raw_tracks(width: u32, height: u32) -> Tracks {
    Tracks {
        video: Some(VideoTrack { codec: VideoCodec::RawI420, codec_private: Vec::new(), width, height }),
        audio: Some(AudioTrack {
            codec: AudioCodec::PcmS16le,
            codec_private: Vec::new(),
            sample_rate: SAMPLE_RATE,
            channels: 2,
            codec_delay_ns: 0,
            seek_preroll_ns: 0,
        }),
    }
}

impl<W: Write> FeedWriter<W> {
    /// Writes the head of the stream. A codec delay in `tracks` is written as it is; packets of
    /// sound are then expected to have it added to their times.
    pub fn new(mut out: W, tracks: &Tracks) -> io::Result<Self> {
        let mut head = head::ebml_header(tracks);
        head.put_id(ids::SEGMENT);
        head.extend(UNKNOWN_SIZE);
        head::put_info(&mut head, SCALE_NS, 0);
        head::put_tracks(&mut head, tracks);
        out.write_all(&head)?;
        let picture = tracks.video.as_ref().map(|video| {
            let luma = video.width as usize * video.height as usize;
            let (width, height) = (video.width.div_ceil(2), video.height.div_ceil(2));
            (luma, width as usize * height as usize)
        });
        Ok(FeedWriter { out, picture })
    }

    /// Writes a raw I420 picture, straight from its planes (no padding in the lines).
    ///
    /// # Errors
    /// `InvalidInput` when a plane is not as long as the size told in the head asks for.
    pub fn write_video(&mut self, pts_us: i64, y: &[u8], u: &[u8], v: &[u8]) -> io::Result<()> {
        if self.picture != Some((y.len(), u.len())) || u.len() != v.len() {
            return Err(invalid("a picture of another size than the stream's"));
        }
        self.write(TrackKind::Video, pts_us, true, &[y, u, v])
    }

    /// Writes interleaved s16le samples; `pts_us` is the time of the first one.
    pub fn write_audio(&mut self, pts_us: i64, samples: &[u8]) -> io::Result<()> {
        self.write(TrackKind::Audio, pts_us, true, &[samples])
    }

    /// Writes an encoded packet. With a duration FFmpeg knows how long the last picture lasts.
    pub fn write_packet(&mut self, packet: &Packet) -> io::Result<()> {
        let Some(duration_us) = packet.duration_us else {
            return self.write(packet.track, packet.pts_us, packet.key, &[&packet.data]);
        };
        let mut group = Vec::with_capacity(packet.data.len() + 32);
        group.put_uint(ids::BLOCK_DURATION, duration_us);
        if !packet.key {
            // Which packet it refers to does not matter: that it does makes it no key frame.
            group.put_bytes(ids::REFERENCE_BLOCK, &[0xff]);
        }
        group.put_id(ids::BLOCK);
        group.put_size(4 + packet.data.len() as u64);
        group.extend([0x80 | head::number(packet.track), 0, 0, 0]);
        group.extend_from_slice(&packet.data);
        let mut body = Vec::with_capacity(group.len() + 24);
        body.put_uint(ids::TIMESTAMP, stream_time(packet.pts_us)?);
        body.put_bytes(ids::BLOCK_GROUP, &group);
        let mut cluster = Vec::with_capacity(body.len() + 12);
        cluster.put_bytes(ids::CLUSTER, &body);
        self.out.write_all(&cluster)
    }

    pub fn get_ref(&self) -> &W {
        &self.out
    }

    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    pub fn into_inner(self) -> W {
        self.out
    }

    fn write(&mut self, track: TrackKind, pts_us: i64, key: bool, data: &[&[u8]]) -> io::Result<()> {
        let length = data.iter().map(|piece| piece.len()).sum();
        let head = packet_head(track, pts_us, key, length)?;
        let mut slices = [IoSlice::new(&[]); 4];
        slices[0] = IoSlice::new(&head);
        for (slice, piece) in slices[1..].iter_mut().zip(data) {
            *slice = IoSlice::new(piece);
        }
        write_all_vectored(&mut self.out, &mut slices[..=data.len()])
    }
}

/// What stands before a packet's `length` bytes of data: a cluster of its own and a block's head.
fn packet_head(track: TrackKind, pts_us: i64, key: bool, length: usize) -> io::Result<Vec<u8>> {
    let pts = stream_time(pts_us)?;
    let block = [0x80 | head::number(track), 0, 0, if key { 0x80 } else { 0 }];
    let mut inner = Vec::with_capacity(32);
    inner.put_uint(ids::TIMESTAMP, pts);
    inner.put_id(ids::SIMPLE_BLOCK);
    inner.put_size((block.len() + length) as u64);
    inner.extend(block);
    let mut head = Vec::with_capacity(48);
    head.put_id(ids::CLUSTER);
    head.put_size((inner.len() + length) as u64);
    head.extend(inner);
    Ok(head)
}

fn stream_time(pts_us: i64) -> io::Result<u64> {
    u64::try_from(pts_us).map_err(|_| invalid("a packet before the stream's start"))
}

fn write_all_vectored<W: Write>(out: &mut W, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    // Takes leading empty slices away, so that an empty rest ends the loop.
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match out.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::matroska::MatroskaReader;

    #[test]
    fn what_is_fed_is_read_back_to_the_microsecond() {
        let mut feed = FeedWriter::new(Vec::new(), &raw_tracks(4, 2)).unwrap();
        feed.write_video(0, &[1; 8], &[2; 2], &[3; 2]).unwrap();
        feed.write_audio(0, &[9; 40]).unwrap();
        feed.write_video(33_367, &[1; 8], &[2; 2], &[3; 2]).unwrap();
        let bytes = feed.into_inner();
        let mut reader = MatroskaReader::new(&bytes[..]).unwrap();
        assert_eq!(*reader.tracks(), raw_tracks(4, 2));
        let mut seen = Vec::new();
        while let Some(packet) = reader.next_packet().unwrap() {
            seen.push((packet.track, packet.pts_us, packet.data.len()));
        }
        let wanted = [(TrackKind::Video, 0, 12), (TrackKind::Audio, 0, 40), (TrackKind::Video, 33_367, 12)];
        assert_eq!(seen, wanted);
        assert!(!reader.torn());
    }

    #[test]
    fn a_picture_of_another_size_is_refused() {
        let mut feed = FeedWriter::new(Vec::new(), &raw_tracks(4, 2)).unwrap();
        assert!(feed.write_video(0, &[1; 9], &[2; 2], &[3; 2]).is_err());
        assert!(feed.write_audio(-1, &[0; 4]).is_err());
    }
}
