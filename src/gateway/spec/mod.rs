//! From a Start to the Recording that it asks for, and back to what DescribeDetail shows.

mod from_spec;
#[cfg(test)]
mod tests;
mod to_spec;

pub use from_spec::from_spec;
pub use to_spec::{Installed, Made, to_spec};
