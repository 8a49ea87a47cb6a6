//! Processes that live and do nothing, as a halted one does, are ended: that is noticed, and makes
//! room for others.

use std::time::Duration;

use tokio::time::Instant;

use super::run::Converge;
use crate::session::event::GapCause;

/// Chrome tells at once that the page's renderer has ended; where the page has not answered and it
/// takes so long, it is stuck itself.
const CHROME: Duration = Duration::from_secs(5);
/// The sink gives sound all the time, whether something plays or not; after so many ticks of a
/// quarter of a second without any its daemon is stuck.
const SOUNDLESS_TICKS: u32 = 20;
/// How long the encoder may take nothing, in microseconds.
const ENCODER_US: i64 = 5_000_000;

/// What was seen of them last.
#[derive(Default)]
pub(super) struct StuckWatch {
    /// Why the renderer is about to be gone, where we ended it, and since when.
    condemned: Option<(GapCause, Instant)>,
    chunks: u64,
    soundless_ticks: u32,
}

impl StuckWatch {
    /// A renderer was ended for this; Chrome will tell, unless it was only that of a frame.
    pub fn condemn(&mut self, cause: GapCause) {
        if self.condemned.is_none_or(|(before, _)| before != cause) {
            self.condemned = Some((cause, Instant::now()));
        }
    }

    /// Why the page is gone: `found`, unless we ended it ourselves just now.
    pub fn cause_of(&mut self, found: GapCause) -> GapCause {
        let ours = self.condemned.take().filter(|(_, since)| since.elapsed() < 2 * CHROME);
        ours.map_or(found, |(cause, _)| cause)
    }

    fn is_chrome_stuck(&self) -> bool {
        self.condemned.is_some_and(|(cause, since)| cause == GapCause::PageHung && since.elapsed() >= CHROME)
    }

    /// Whether the sound is stuck; `chunks` have come so far.
    fn is_sound_stuck(&mut self, chunks: u64) -> bool {
        self.soundless_ticks = if chunks == self.chunks { self.soundless_ticks + 1 } else { 0 };
        self.chunks = chunks;
        self.soundless_ticks >= SOUNDLESS_TICKS
    }
}

impl Converge {
    /// To be called each tick.
    pub(super) fn end_what_is_stuck(&mut self) {
        let feeder = self.feeder.handle();
        if feeder.stuck_us() > ENCODER_US
            && let Some(encoding) = &self.encoding
        {
            tracing::error!("the encoder takes nothing any more, ending it");
            encoding.child.kill();
        }
        let sound_is_stuck = self.stuck.is_sound_stuck(feeder.chunks());
        if !self.stage_ready {
            return;
        }
        if self.stuck.is_chrome_stuck()
            && let Some(browser) = &self.stage.browser
        {
            tracing::error!("Chrome does not tell of its renderer's end, ending it");
            browser.child.kill();
        }
        if sound_is_stuck && let Some(sound) = &self.stage.sound {
            tracing::error!("the sink gives no sound any more, ending its daemon");
            sound.child.kill();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_without_sound_is_stuck_after_five_seconds() {
        let mut watch = StuckWatch::default();
        assert!(!(1..100).any(|chunks| watch.is_sound_stuck(chunks)));
        let ticks = (1..).find(|_| watch.is_sound_stuck(99));
        assert_eq!(ticks, Some(SOUNDLESS_TICKS));
        assert!(!watch.is_sound_stuck(100));
    }

    #[test]
    fn what_we_ended_is_not_blamed_on_others() {
        let mut watch = StuckWatch::default();
        assert_eq!(watch.cause_of(GapCause::RendererDied), GapCause::RendererDied);
        watch.condemn(GapCause::PageHung);
        assert!(!watch.is_chrome_stuck());
        assert_eq!(watch.cause_of(GapCause::BrowserDied), GapCause::PageHung);
        assert_eq!(watch.cause_of(GapCause::BrowserDied), GapCause::BrowserDied);
    }

    #[test]
    fn a_frame_that_ate_memory_long_ago_hides_nothing() {
        let long_ago = || Instant::now() - 3 * CHROME;
        let mut watch = StuckWatch { condemned: Some((GapCause::OutOfMemory, long_ago())), ..Default::default() };
        assert_eq!(watch.cause_of(GapCause::RendererDied), GapCause::RendererDied);
        watch.condemned = Some((GapCause::OutOfMemory, long_ago()));
        watch.condemn(GapCause::PageHung);
        assert!(!watch.is_chrome_stuck(), "it was only just told to end");
        watch.condemned = Some((GapCause::PageHung, long_ago()));
        watch.condemn(GapCause::PageHung);
        assert!(watch.is_chrome_stuck(), "saying it again gives it no more time");
    }
}
