//! The small boxes of the head; clauses are those of ISO/IEC 14496-12.

use mp4_atom::esds::{DecoderConfig, DecoderSpecific, EsDescriptor};
use mp4_atom::{
    Audio, Avc1, Avcc, Btrt, Colr, Dinf, Dref, Elst, ElstEntry, Esds, Ftyp, Hdlr, Mdhd, Mp4a, Mvhd, Pasp, Smhd, Stsd,
    Tkhd, Url, Visual, Vmhd, u24,
};

use crate::media::packet::SAMPLE_RATE;

use super::error::Mp4Error;
use super::format::Format;
use super::head::Boxes;
use super::track::FinishedTrack;

/// Ticks a second of the movie: whole ones for both 90 kHz and 48 kHz, so durations of both tracks are exact.
pub(super) const MOVIE_TIMESCALE: u32 = 720_000;

impl FinishedTrack {
    /// When the first sample is presented, in ticks of the movie; below 0 it is priming.
    fn first_in_movie(&self) -> i64 {
        self.first * i64::from(MOVIE_TIMESCALE / self.format.timescale())
    }

    fn duration_in_movie(&self) -> u64 {
        self.duration * u64::from(MOVIE_TIMESCALE / self.format.timescale())
    }

    /// When the last sample is over, in ticks of the movie.
    pub fn end_in_movie(&self) -> u64 {
        self.duration_in_movie().saturating_add_signed(self.first_in_movie())
    }

    /// Whether there is more than priming. An edit list cannot tell a track of which nothing is presented.
    pub fn is_presented(&self) -> bool {
        self.first >= 0 || self.end_in_movie() > 0
    }
}

/// 4.3, with the brands that FFmpeg gives such a file.
pub(super) fn ftyp<'a>() -> Result<Boxes<'a>, Mp4Error> {
    Boxes::encoded(&Ftyp {
        major_brand: b"isom".into(),
        minor_version: 0x200,
        compatible_brands: [b"isom", b"iso2", b"avc1", b"mp41"].map(Into::into).to_vec(),
    })
}

/// 8.2.2. Ticks of the movie.
pub(super) fn mvhd<'a>(duration: u64, next_track_id: u32) -> Result<Boxes<'a>, Mp4Error> {
    Boxes::encoded(&Mvhd {
        timescale: MOVIE_TIMESCALE,
        duration,
        rate: 1.into(),
        volume: 1.into(),
        next_track_id,
        ..Mvhd::default()
    })
}

/// 8.3.2.
pub(super) fn tkhd<'a>(track: &FinishedTrack, track_id: u32) -> Result<Boxes<'a>, Mp4Error> {
    let (width, height, volume) = match track.format {
        Format::Video { width, height, .. } => (width, height, 0),
        Format::Audio { .. } => (0, 0, 1),
    };
    Boxes::encoded(&Tkhd {
        track_id,
        duration: track.end_in_movie(),
        enabled: true,
        in_movie: true,
        volume: volume.into(),
        width: width.into(),
        height: height.into(),
        ..Tkhd::default()
    })
}

/// 8.6.6: a track that begins later than the movie waits, one that begins before it is entered after its priming.
pub(super) fn edts<'a>(track: &FinishedTrack) -> Result<Option<Boxes<'a>>, Mp4Error> {
    let first = track.first_in_movie();
    let entry = |segment_duration, media_time| ElstEntry { segment_duration, media_time, media_rate: 1.into() };
    let entries = match first {
        0 => return Ok(None),
        1.. => vec![entry(first.unsigned_abs(), None), entry(track.duration_in_movie(), Some(0))],
        _ => vec![entry(track.end_in_movie(), Some(track.first.unsigned_abs()))],
    };
    let elst = Boxes::encoded(&Elst { entries })?;
    Boxes::container(b"edts", [elst]).map(Some)
}

/// 8.4.2.
pub(super) fn mdhd<'a>(track: &FinishedTrack) -> Result<Boxes<'a>, Mp4Error> {
    Boxes::encoded(&Mdhd {
        timescale: track.format.timescale(),
        duration: track.duration,
        language: "und".into(),
        ..Mdhd::default()
    })
}

/// 8.4.3, 12.1.1, 12.2.1.
pub(super) fn hdlr<'a>(format: &Format) -> Result<Boxes<'a>, Mp4Error> {
    let (handler, name) = match format {
        Format::Video { .. } => (b"vide", "VideoHandler"),
        Format::Audio { .. } => (b"soun", "SoundHandler"),
    };
    Boxes::encoded(&Hdlr { handler: handler.into(), name: name.into() })
}

/// 12.1.2 and 12.2.2.
pub(super) fn media_header<'a>(format: &Format) -> Result<Boxes<'a>, Mp4Error> {
    match format {
        Format::Video { .. } => Boxes::encoded(&Vmhd::default()),
        Format::Audio { .. } => Boxes::encoded(&Smhd::default()),
    }
}

/// 8.7.1: the media is in this file.
pub(super) fn dinf<'a>() -> Result<Boxes<'a>, Mp4Error> {
    Boxes::encoded(&Dinf { dref: Dref { entries: vec![Url::default().into()] } })
}

/// 8.5.2. Its length does not depend on what the samples were.
pub(super) fn stsd<'a>(track: &FinishedTrack) -> Result<Boxes<'a>, Mp4Error> {
    let entry = match &track.format {
        Format::Video { width, height, avcc } => avc1(*width, *height, avcc, &track.bit_rate).into(),
        Format::Audio { channels, config } => mp4a(*channels, config, &track.bit_rate).into(),
    };
    Boxes::encoded(&Stsd { codecs: vec![entry] })
}

/// ISO/IEC 14496-15, 5.4.2.1.
fn avc1(width: u16, height: u16, avcc: &Avcc, bit_rate: &Btrt) -> Avc1 {
    let bt709_limited =
        Colr::Nclx { colour_primaries: 1, transfer_characteristics: 1, matrix_coefficients: 1, full_range_flag: false };
    Avc1 {
        visual: Visual { data_reference_index: 1, width, height, ..Visual::default() },
        avcc: avcc.clone(),
        btrt: Some(bit_rate.clone()),
        colr: Some(bt709_limited),
        pasp: Some(Pasp { h_spacing: 1, v_spacing: 1 }),
        ..Avc1::default()
    }
}

/// ISO/IEC 14496-14, 5.6; the descriptors are those of ISO/IEC 14496-1, 7.2.6.
fn mp4a(channels: u16, config: &[u8], bit_rate: &Btrt) -> Mp4a {
    let dec_config = DecoderConfig {
        // Audio of ISO/IEC 14496-3, in an audio stream.
        object_type_indication: 0x40,
        stream_type: 5,
        buffer_size_db: u24::try_from(bit_rate.buffer_size_db.min(0xff_ffff)).unwrap_or_default(),
        max_bitrate: bit_rate.max_bitrate,
        avg_bitrate: bit_rate.avg_bitrate,
        dec_specific: Some(DecoderSpecific { raw: config.to_vec(), ..DecoderSpecific::default() }),
        ..DecoderConfig::default()
    };
    Mp4a {
        audio: Audio {
            data_reference_index: 1,
            channel_count: channels,
            sample_size: 16,
            sample_rate: (SAMPLE_RATE as u16).into(),
        },
        esds: Esds { es_desc: EsDescriptor { dec_config, ..EsDescriptor::default() } },
        btrt: None,
        taic: None,
    }
}
