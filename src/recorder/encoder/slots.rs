//! The places that pictures may have in the video: multiples of the frame interval. Pure.
//!
//! A display's refreshes jitter by some milliseconds; pictures on a grid play evenly, and tools
//! that count in frames find one in each slot or none.

/// A picture takes the slot after the last one's if it is not further from it than this, in
/// hundredths of a slot: jitter makes neither holes nor collisions.
const REACH: i64 = 70;

/// The grid of one frame rate.
#[derive(Debug, Clone, Copy)]
pub struct Slots {
    frame_rate: i64,
}

impl Slots {
    /// For `frame_rate` frames a second.
    pub fn new(frame_rate: u32) -> Self {
        Self { frame_rate: frame_rate.into() }
    }

    /// The place of a slot, in microseconds.
    pub fn place(self, slot: i64) -> i64 {
        (slot * 1_000_000).div_euclid(self.frame_rate)
    }

    /// The slot that begins at this place or before it.
    pub fn floor(self, place: i64) -> i64 {
        // A place is rounded down, so the next microsecond belongs to the slot for sure.
        ((place + 1) * self.frame_rate - 1).div_euclid(1_000_000)
    }

    /// The slot that begins at this place or after it.
    pub fn ceil(self, place: i64) -> i64 {
        let floor = self.floor(place);
        if self.place(floor) == place { floor } else { floor + 1 }
    }

    /// The slot for a picture of this place after one in slot `last`; None when that one's slot
    /// is meant again.
    pub fn next(self, place: i64, last: i64) -> Option<i64> {
        // In hundredths of a slot.
        let at = place * self.frame_rate / 10_000;
        let follower = last.saturating_add(1);
        if (at - follower.saturating_mul(100)).abs() <= REACH {
            return Some(follower);
        }
        let nearest = (at + 50).div_euclid(100);
        (nearest > last).then_some(nearest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floor_and_ceil_know_their_own_places() {
        for rate in [1, 7, 24, 25, 29, 30, 59, 60] {
            let slots = Slots::new(rate);
            for slot in (0..5_000).chain(7_000_000..7_000_100) {
                let place = slots.place(slot);
                assert_eq!((slots.floor(place), slots.ceil(place)), (slot, slot), "{rate} {slot}");
                assert_eq!((slots.floor(place + 2), slots.ceil(place + 2)), (slot, slot + 1));
            }
        }
    }

    #[test]
    fn jitter_makes_neither_holes_nor_collisions() {
        let slots = Slots::new(30);
        let jitter = [0, 9_000, -8_000, 15_000, -15_000, 4_000];
        let mut last = 0;
        for i in 1..10_000 {
            let place = slots.place(i) + jitter[i as usize % jitter.len()];
            last = slots.next(place, last).expect("a slot");
            assert_eq!(last, i);
        }
    }

    #[test]
    fn a_second_picture_of_a_slot_waits_and_a_late_one_leaves_a_hole() {
        let slots = Slots::new(30);
        assert_eq!(slots.next(slots.place(10) + 5_000, 10), None);
        assert_eq!(slots.next(slots.place(13) + 2_000, 10), Some(13));
    }
}
