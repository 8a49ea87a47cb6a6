//! MP4 (ISO/IEC 14496-12): media bytes come out while packets go in; the head is made last and stands in front of them.
//! Called by the publisher.
//! Never: seeks in what it gave away, opens a file that has a name, or holds more than one chunk of packets.
//!
//! ```text
//! ftyp │ moov │ free, as padding │ head of mdat │ media: a chunk of pictures, a chunk of sound, and so on
//! └─────────── Mp4Index::write_head ──────────┘ └─ Mp4Muxer::push and finish ───────────────────────────┘
//! ```
//!
//! The same packets give the same bytes: nothing of the clock, of chance or of the machine is in them.

mod boxes;
mod error;
mod format;
mod head;
mod index;
mod muxer;
mod rate;
mod table;
#[cfg(test)]
mod tests;
mod track;

pub use error::Mp4Error;
pub use index::{Mp4Index, head_bytes_at_most};
pub use muxer::Mp4Muxer;
