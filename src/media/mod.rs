//! Packets and containers: the audio grid, and Matroska in and out, without any process or file.
//! Called by recorder and publisher.
//! Never: starts FFmpeg, opens files, decodes media, or trusts a byte that it reads.

pub mod ebml;
pub mod encoded;
pub mod grid;
pub mod matroska;
pub mod packet;

pub use encoded::EncodedReader;
pub use grid::AudioGrid;
pub use packet::{AudioCodec, AudioTrack, Packet, TrackKind, Tracks, VideoCodec, VideoTrack};
