//! What was sent to the encoder and has not come back yet.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// A picture on its way through the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentPicture {
    /// Its place in the video, in microseconds.
    pub place_us: i64,
    /// False for one that only pushes others out; it does not get into the part.
    pub keep: bool,
    /// A new part begins with this one.
    pub begins_part: bool,
}

/// Pictures leave the encoder in the order they went in, without B-frames one for one; so their
/// exact places need not go through FFmpeg's containers.
#[derive(Debug, Clone, Default)]
pub struct Sent(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    pictures: VecDeque<SentPicture>,
    /// The sample at which the next part begins.
    boundary: Option<i64>,
}

impl Sent {
    pub fn push(&self, picture: SentPicture) {
        self.lock().pictures.push_back(picture);
    }

    pub fn pop(&self) -> Option<SentPicture> {
        self.lock().pictures.pop_front()
    }

    /// From this sample on everything belongs to a new part. Told before anything of it is fed.
    pub fn set_boundary(&self, sample: i64) {
        self.lock().boundary = Some(sample);
    }

    pub fn take_boundary(&self) -> Option<i64> {
        self.lock().boundary.take()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
