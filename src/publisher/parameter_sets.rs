//! H.264 parameter sets in the stream: for a part whose encoder had others than the first.
//!
//! A container tells one avcC record. A later encoder of the same kind may still differ in a
//! detail; its sets then stand before each of its key frames, where every decoder takes them.

/// The sets of an avcC record, each with its length before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ParameterSets(Vec<u8>);

impl ParameterSets {
    /// None when the record is broken or its packets have other length fields than those of `first`.
    pub(super) fn from_avcc(avcc: &[u8], first: &[u8]) -> Option<ParameterSets> {
        // ISO/IEC 14496-15: version, profile, compatibility, level, length size, counts.
        let length_size = avcc.get(4)? & 3;
        if length_size != 3 || first.get(4)? & 3 != 3 {
            return None;
        }
        let mut sets = Vec::new();
        let mut at = 5;
        for mask in [0x1f, 0xff] {
            let count = avcc.get(at)? & mask;
            at += 1;
            for _ in 0..count {
                let length = usize::from(u16::from_be_bytes([*avcc.get(at)?, *avcc.get(at + 1)?]));
                let set = avcc.get(at + 2..at + 2 + length)?;
                sets.extend((length as u32).to_be_bytes());
                sets.extend_from_slice(set);
                at += 2 + length;
            }
        }
        Some(ParameterSets(sets))
    }

    /// A packet with the sets before it.
    pub(super) fn prepend_to(&self, packet: &[u8]) -> Vec<u8> {
        [&self.0, packet].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_taken_out_of_the_record() {
        let avcc = [1, 100, 0, 31, 0xff, 0xe1, 0, 2, 0x67, 0x64, 1, 0, 1, 0x68];
        let sets = ParameterSets::from_avcc(&avcc, &avcc).unwrap();
        let wanted = [0, 0, 0, 2, 0x67, 0x64, 0, 0, 0, 1, 0x68, 9];
        assert_eq!(sets.prepend_to(&[9]), wanted);
    }

    #[test]
    fn a_broken_record_is_refused() {
        let avcc = [1, 100, 0, 31, 0xff, 0xe1, 0, 2, 0x67, 0x64, 1, 0, 1, 0x68];
        for end in 0..avcc.len() {
            assert_eq!(ParameterSets::from_avcc(&avcc[..end], &avcc), None);
        }
    }
}
