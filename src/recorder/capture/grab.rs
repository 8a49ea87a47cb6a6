//! Reading a window's pixels through shared memory and turning them into I420.

use std::os::fd::AsFd;
use std::ptr::NonNull;

use x11rb::connection::Connection;
use x11rb::protocol::shm::{self, ConnectionExt as _};
use x11rb::protocol::xproto::{ImageFormat, Window};
use x11rb::rust_connection::RustConnection;
use yuv::{BufferStoreMut, YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix};

use super::picture::Picture;
use super::watch::CaptureError;

/// Rows of a picture: `top..bottom`, both even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    pub top: u32,
    pub bottom: u32,
}

impl Rows {
    pub const NONE: Self = Self { top: u32::MAX, bottom: 0 };

    pub fn all(height: u32) -> Self {
        Self { top: 0, bottom: height }
    }

    pub fn is_empty(self) -> bool {
        self.top >= self.bottom
    }

    /// With a changed rectangle added; rows outside of `0..height` are not there.
    pub fn with(self, y: i32, rows: u32, height: u32) -> Self {
        let clamp = |v: i64| v.clamp(0, i64::from(height)) as u32;
        let (top, bottom) = (clamp(y.into()), clamp(i64::from(y) + i64::from(rows)));
        // Chroma rows serve two rows of luma.
        Self { top: self.top.min(top & !1), bottom: self.bottom.max((bottom + 1) & !1).min(height) }
    }
}

/// A segment of memory shared with the X server, large enough for one picture.
pub struct Grabber {
    segment: shm::Seg,
    memory: NonNull<u8>,
    length: usize,
    width: u32,
    height: u32,
}

// SAFETY: the mapping is owned by this value alone and has no thread affinity.
unsafe impl Send for Grabber {}

impl Grabber {
    pub fn new(connection: &RustConnection, width: u32, height: u32) -> Result<Self, CaptureError> {
        let length = (width * height * 4) as usize;
        let file = nix::sys::memfd::memfd_create(c"panorec-picture", nix::sys::memfd::MFdFlags::MFD_CLOEXEC)
            .map_err(std::io::Error::from)?;
        nix::unistd::ftruncate(&file, length as i64).map_err(std::io::Error::from)?;
        let size = std::num::NonZeroUsize::new(length).ok_or_else(|| CaptureError::Protocol("no picture".into()))?;
        use nix::sys::mman::{MapFlags, ProtFlags, mmap};
        // SAFETY: a fresh mapping of our own file, unmapped in drop.
        let memory = unsafe { mmap(None, size, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, file.as_fd(), 0) }
            .map_err(std::io::Error::from)?;
        let segment = connection.generate_id()?;
        connection.shm_attach_fd(segment, file, false)?.check()?;
        Ok(Self { segment, memory: memory.cast(), length, width, height })
    }

    /// Reads these rows of the window and converts them into the picture.
    pub fn read(
        &self,
        connection: &RustConnection,
        window: Window,
        rows: Rows,
        picture: &mut Picture,
    ) -> Result<(), CaptureError> {
        let (width, count) = (self.width, rows.bottom - rows.top);
        connection
            .shm_get_image(
                window,
                0,
                rows.top as i16,
                width as u16,
                count as u16,
                !0,
                ImageFormat::Z_PIXMAP.into(),
                self.segment,
                0,
            )?
            .reply()?;
        let bytes = (width * count * 4) as usize;
        debug_assert!(bytes <= self.length && picture.height == self.height);
        // SAFETY: inside the mapping; the server wrote it before its reply and writes no more.
        let pixels = unsafe { std::slice::from_raw_parts(self.memory.as_ptr(), bytes) };
        convert(pixels, picture, rows)
    }
}

impl Drop for Grabber {
    fn drop(&mut self) {
        // SAFETY: made by mmap with this length.
        let _ = unsafe { nix::sys::mman::munmap(self.memory.cast(), self.length) };
    }
}

fn convert(pixels: &[u8], picture: &mut Picture, rows: Rows) -> Result<(), CaptureError> {
    let width = picture.width;
    let plane = |from: u32, to: u32, stride: u32| (from * stride) as usize..(to * stride) as usize;
    let luma = plane(rows.top, rows.bottom, width);
    let chroma = plane(rows.top / 2, rows.bottom / 2, width / 2);
    let [y, u, v] = picture.planes_mut();
    let mut image = YuvPlanarImageMut {
        y_plane: BufferStoreMut::Borrowed(&mut y[luma]),
        y_stride: width,
        u_plane: BufferStoreMut::Borrowed(&mut u[chroma.clone()]),
        u_stride: width / 2,
        v_plane: BufferStoreMut::Borrowed(&mut v[chroma]),
        v_stride: width / 2,
        width,
        height: rows.bottom - rows.top,
    };
    yuv::bgra_to_yuv420(
        &mut image,
        pixels,
        width * 4,
        YuvRange::Limited,
        YuvStandardMatrix::Bt709,
        YuvConversionMode::Balanced,
    )
    .map_err(|e| CaptureError::Protocol(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_even_and_inside() {
        assert_eq!(Rows::NONE.with(3, 1, 720), Rows { top: 2, bottom: 4 });
        assert_eq!(Rows::NONE.with(-5, 2000, 720), Rows::all(720));
        assert!(Rows::NONE.with(900, 3, 720).is_empty());
    }

    #[test]
    fn colours_are_bt709_limited() {
        let mut picture = Picture::black(2, 2);
        let green = [0, 255, 0, 255].repeat(4);
        convert(&green, &mut picture, Rows::all(2)).unwrap();
        // BT.709: Y = 16 + 219 x 0.7152.
        assert!(picture.data[0].abs_diff(173) <= 1, "{:?}", picture.data);
    }
}
