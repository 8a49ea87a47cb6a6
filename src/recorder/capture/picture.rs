//! Pictures in the encoder's form, reused so that memory neither grows nor is faulted in anew.

use std::sync::{Arc, Mutex, PoisonError};

/// I420: a plane of luma, then two of chroma at half size, without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub data: Vec<u8>,
}

impl Picture {
    /// A black picture (limited range: luma 16, chroma 128). Sizes are even.
    pub fn black(width: u32, height: u32) -> Self {
        let luma = (width * height) as usize;
        let mut data = vec![16; luma * 3 / 2];
        data[luma..].fill(128);
        Self { width, height, data }
    }

    fn luma(&self) -> usize {
        (self.width * self.height) as usize
    }

    /// The three planes.
    pub fn planes(&self) -> [&[u8]; 3] {
        let (y, chroma) = self.data.split_at(self.luma());
        let (u, v) = chroma.split_at(self.luma() / 4);
        [y, u, v]
    }

    /// The three planes, to be written to.
    pub fn planes_mut(&mut self) -> [&mut [u8]; 3] {
        let luma = self.luma();
        let (y, chroma) = self.data.split_at_mut(luma);
        let (u, v) = chroma.split_at_mut(luma / 4);
        [y, u, v]
    }
}

/// A picture and when it was on the screen.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Monotonic clock at the grab, in microseconds.
    pub at_us: i64,
    /// Taken because the display had changed, not because one was wished for.
    pub refresh: bool,
    pub picture: Arc<Picture>,
}

/// Pictures that can be used again once nobody else holds them.
#[derive(Debug, Default)]
pub struct Pool {
    kept: Mutex<Vec<Arc<Picture>>>,
}

impl Pool {
    /// A copy of `like`, in memory used before where there is some.
    pub fn copy(&self, like: &Picture) -> Arc<Picture> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let free = kept.iter_mut().find_map(|picture| Arc::get_mut(picture).is_some().then_some(picture));
        if let Some(picture) = free {
            if let Some(own) = Arc::get_mut(picture) {
                own.clone_from(like);
            }
            return Arc::clone(picture);
        }
        let picture = Arc::new(like.clone());
        kept.push(Arc::clone(&picture));
        picture
    }
}
