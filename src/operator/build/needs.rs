//! What a recording needs of its node, by the size of its picture.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::session::request::Request;

/// Requests of the recorder's container, and its limit of memory. There is no limit of processor
/// time: throttling drops frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Thousandths of a core.
    pub cpu_millis: u32,
    /// MiB that the recording is expected to use.
    pub memory_mib: u32,
    /// MiB at which the kernel ends something in the container.
    pub memory_limit_mib: u32,
}

/// An installation's own figures; what is not given comes from the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NeedsOverride {
    pub cpu_millis: Option<u32>,
    pub memory_mib: Option<u32>,
    pub memory_limit_mib: Option<u32>,
}

/// What a recorder may use beyond what it asks for: a page with many pictures in it, a second renderer.
const ROOM_MIB: u32 = 1536;

impl Needs {
    /// Cores grow with the pixels a second that move; memory with the pixels of a picture. Measured on the
    /// pod, by its control group, with the moving page of the bench (`what_a_recording_needs` of the
    /// cluster tests):
    ///
    /// | picture | cores | MiB |
    /// |---|---|---|
    /// | 640x360, 24 frames/s | 0.21 | 306 |
    /// | 1280x720, 24 | 0.27 | 314 |
    /// | 1280x720, 30 | 0.32 | 316 |
    /// | 1280x720, 60 | 0.55 | 327 |
    /// | 1920x1080, 30 | 0.57 | 426 |
    /// | 2560x1440, 30 | 0.87 | 552 |
    ///
    /// A fifth and more on top of the cores is for pages that move as a whole (a scrolling one takes a
    /// quarter more than this one in the bench); half as much memory again, for larger pages than this.
    pub fn of(request: &Request, own: NeedsOverride) -> Needs {
        let pixels = u64::from(request.size.width()) * u64::from(request.size.height());
        let kilopixels_a_second = pixels * u64::from(request.frame_rate.get()) / 1_000;
        let cpu_millis = 200 + (kilopixels_a_second * 8 / 1_000) as u32;
        let memory_mib = 512 + (pixels * 96 / 1_000_000) as u32;
        let memory_mib = own.memory_mib.unwrap_or(memory_mib);
        Needs {
            cpu_millis: own.cpu_millis.unwrap_or(cpu_millis),
            memory_mib,
            memory_limit_mib: own.memory_limit_mib.unwrap_or(memory_mib + ROOM_MIB).max(memory_mib),
        }
    }

    pub(super) fn requirements(self) -> ResourceRequirements {
        requirements(self.cpu_millis, self.memory_mib, self.memory_limit_mib)
    }
}

pub(super) fn requirements(cpu_millis: u32, memory_mib: u32, memory_limit_mib: u32) -> ResourceRequirements {
    let requests = [("cpu", format!("{cpu_millis}m")), ("memory", format!("{memory_mib}Mi"))];
    let limits = [("memory", format!("{memory_limit_mib}Mi"))];
    let quantities = |pairs: &[(&str, String)]| -> BTreeMap<String, Quantity> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Quantity(value.clone()))).collect()
    };
    ResourceRequirements { requests: Some(quantities(&requests)), limits: Some(quantities(&limits)), claims: None }
}
