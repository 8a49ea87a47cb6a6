//! Reads a file back, sample by sample, by what mp4-atom finds in it.

use std::collections::HashSet;
use std::ops::Range;

use mp4_atom::{Decode, Moov, Stbl, StszSamples, Trak};

/// The boxes of a file, with where their bodies lie.
pub fn boxes(file: &[u8]) -> Vec<(String, Range<usize>)> {
    let (mut found, mut at) = (Vec::new(), 0);
    let number = |at: usize| u64::from(u32::from_be_bytes(file[at..at + 4].try_into().unwrap()));
    while at < file.len() {
        let (head, size) = match number(at) {
            1 => (16, number(at + 8) << 32 | number(at + 12)),
            size => (8, size),
        };
        let end = at + size as usize;
        found.push((String::from_utf8(file[at + 4..at + 8].to_vec()).unwrap(), at + head..end));
        at = end;
    }
    assert_eq!(at, file.len());
    found
}

pub fn moov(file: &[u8]) -> Moov {
    let found = boxes(file);
    let at = &found.iter().find(|found| found.0 == "moov").unwrap().1;
    Moov::decode(&mut &file[at.start - 8..at.end]).unwrap()
}

#[derive(Debug, PartialEq)]
pub struct Sample {
    /// Ticks from the first one.
    pub at: u64,
    pub lasts: u32,
    pub key: bool,
    pub data: Vec<u8>,
}

pub fn samples(trak: &Trak, file: &[u8]) -> Vec<Sample> {
    let stbl: &Stbl = &trak.mdia.minf.stbl;
    let StszSamples::Different { sizes } = &stbl.stsz.samples else { panic!("{:?}", stbl.stsz) };
    let places: Vec<u64> = match (&stbl.stco, &stbl.co64) {
        (Some(stco), None) => stco.entries.iter().copied().map(u64::from).collect(),
        (None, Some(co64)) => co64.entries.clone(),
        other => panic!("{other:?}"),
    };
    let mut lasting = stbl.stts.entries.iter().flat_map(|run| (0..run.sample_count).map(|_| run.sample_delta));
    let keys: Option<HashSet<u32>> = stbl.stss.as_ref().map(|stss| stss.entries.iter().copied().collect());
    let rows = &stbl.stsc.entries;
    let (mut found, mut at, mut sizes) = (Vec::new(), 0, sizes.iter());
    for (chunk, place) in (1..).zip(places) {
        let row = &rows[rows.partition_point(|row| row.first_chunk <= chunk) - 1];
        let mut place = place as usize;
        for _ in 0..row.samples_per_chunk {
            let size = *sizes.next().unwrap() as usize;
            let lasts = lasting.next().unwrap();
            let number = found.len() as u32 + 1;
            let key = keys.as_ref().is_none_or(|keys| keys.contains(&number));
            found.push(Sample { at, lasts, key, data: file[place..place + size].to_vec() });
            at += u64::from(lasts);
            place += size;
        }
    }
    assert!(sizes.next().is_none() && lasting.next().is_none());
    assert_eq!(at, trak.mdia.mdhd.duration);
    found
}
