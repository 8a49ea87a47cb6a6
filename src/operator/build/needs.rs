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

impl Needs {
    /// Cores grow with the pixels a second that move; memory with the pixels of a picture. Measured
    /// with the bench's moving page (README, "What a recording costs"): 0.35, 0.40 and 0.62 cores for
    /// 1280x720 at 24, 30 and 60 frames a second, and 0.5 to 0.8 GiB.
    pub fn of(request: &Request, own: NeedsOverride) -> Needs {
        let pixels = u64::from(request.size.width()) * u64::from(request.size.height());
        let kilopixels_a_second = pixels * u64::from(request.frame_rate.get()) / 1_000;
        let cpu_millis = 200 + (kilopixels_a_second * 9 / 1_000) as u32;
        let memory_mib = 768 + (pixels * 128 / 1_000_000) as u32;
        let memory_mib = own.memory_mib.unwrap_or(memory_mib);
        Needs {
            cpu_millis: own.cpu_millis.unwrap_or(cpu_millis),
            memory_mib,
            memory_limit_mib: own.memory_limit_mib.unwrap_or(memory_mib * 5 / 2).max(memory_mib),
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
