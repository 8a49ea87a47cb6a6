//! Packets and containers: the audio grid, Matroska in and out, MP4 out, without any process or named file.
//! Called by recorder and publisher.
//! Never: starts FFmpeg, opens files by name, decodes media, or trusts a byte that it reads.

pub mod ebml;
pub mod encoded;
pub mod grid;
pub mod matroska;
pub mod mp4;
pub mod packet;

pub use encoded::EncodedReader;
pub use grid::AudioGrid;
pub use packet::{AudioCodec, AudioTrack, Packet, TrackKind, Tracks, VideoCodec, VideoTrack};
