//! A recorder in a world of its own: makes legal histories and knows the truth about them.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use panorec::session::event::{EVENT_VERSION, Entry, Figures, GapCause, Moment, PublisherEvent, RecorderEvent, Video};
use panorec::session::fold::Folded;
use panorec::session::history::{History, Line, RunLog};
use panorec::session::intent::{By, IntentState};
use panorec::session::name::{PartName, RunNumber};

const MS: u64 = 1_000;

/// What may happen to a recording, in any order.
#[derive(Debug, Clone)]
pub enum Step {
    Wait {
        ms: u64,
    },
    Pause {
        cut: bool,
    },
    Resume,
    Gap {
        cause: GapCause,
        ms: u64,
        lost_ms: u64,
    },
    NextPart,
    Refresh,
    /// The recorder dies, a replacement starts `down_ms` later on a machine with another clock;
    /// the old one may live on behind the network for a while.
    Die {
        lost_ms: u64,
        down_ms: u64,
        clock: Clock,
        lives_on: bool,
    },
}

/// A machine's clocks.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    pub booted_ms: u64,
    pub skew_ms: i64,
}

pub fn steps(skew_ms: i64) -> impl Strategy<Value = Vec<Step>> {
    let clock = (0..1_000_000u64, -skew_ms..=skew_ms).prop_map(|(booted_ms, skew_ms)| Clock { booted_ms, skew_ms });
    let cause = prop_oneof![Just(GapCause::BrowserDied), Just(GapCause::EncoderDied), Just(GapCause::SoundDied),];
    let step = prop_oneof![
        3 => (1..20_000u64).prop_map(|ms| Step::Wait { ms }),
        2 => any::<bool>().prop_map(|cut| Step::Pause { cut }),
        2 => Just(Step::Resume),
        1 => (cause, 0..5_000u64, 0..900u64)
            .prop_map(|(cause, ms, lost_ms)| Step::Gap { cause, ms, lost_ms }),
        1 => Just(Step::NextPart),
        1 => Just(Step::Refresh),
        1 => (0..1_500u64, 0..60_000u64, clock, any::<bool>()).prop_map(
            |(lost_ms, down_ms, clock, lives_on)| Step::Die { lost_ms, down_ms, clock, lives_on }
        ),
    ];
    prop::collection::vec(step, 0..24)
}

/// What truly happened, in microseconds.
#[derive(Debug, Default, Clone)]
pub struct Truth {
    pub recorded_us: u64,
    pub cut_paused_us: u64,
    pub gaps_us: u64,
    pub wall_us: u64,
}

pub struct World {
    now_us: u64,
    video_us: u64,
    first_frame_us: u64,
    part_start_us: u64,
    part: u32,
    paused: Option<bool>,
    clock: Clock,
    logs: Vec<RunLog<RecorderEvent>>,
    pub truth: Truth,
}

/// Plays the steps, stops, and publishes.
pub fn play(steps: &[Step]) -> (History, Truth) {
    let mut world = World::start();
    for step in steps {
        world.step(step);
    }
    let truth = world.stop();
    (world.history(true), truth)
}

/// Plays the steps and leaves the recording as it is.
pub fn play_unfinished(steps: &[Step]) -> History {
    let mut world = World::start();
    for step in steps {
        world.step(step);
    }
    world.history(false)
}

impl World {
    pub fn start() -> World {
        let mut world = World {
            now_us: 0,
            video_us: 0,
            first_frame_us: 0,
            part_start_us: 0,
            part: 0,
            paused: None,
            clock: Clock { booted_ms: 77_000, skew_ms: 0 },
            logs: Vec::new(),
            truth: Truth::default(),
        };
        world.begin_run(Vec::new());
        world.idle(700 * MS);
        world.say(RecorderEvent::PageLoaded);
        world.first_frame_us = world.now_us;
        world.open_part();
        world
    }

    pub fn step(&mut self, step: &Step) {
        match step {
            Step::Wait { ms } => self.pass(ms * MS),
            Step::Pause { cut } => self.pause(*cut),
            Step::Resume => self.resume(),
            Step::Gap { cause, ms, lost_ms } => self.gap(*cause, ms * MS, lost_ms * MS),
            Step::NextPart => {
                self.close_part();
                self.open_part();
            }
            Step::Refresh => {
                self.say(RecorderEvent::Edge { by: By::Page, state: None, reload: true, told: None });
                self.pass(300 * MS);
                self.say(RecorderEvent::Refreshed);
            }
            Step::Die { lost_ms, down_ms, clock, lives_on } => {
                self.die(lost_ms * MS, down_ms * MS, *clock, *lives_on);
            }
        }
    }

    fn pause(&mut self, cut: bool) {
        if self.paused.is_some() {
            return;
        }
        self.edge(IntentState::Paused);
        self.say(RecorderEvent::Paused { by: By::Page, video_us: self.video_us, cut });
        self.paused = Some(cut);
    }

    fn resume(&mut self) {
        if self.paused.take().is_none() {
            return;
        }
        self.edge(IntentState::Recording);
        self.say(RecorderEvent::Resumed { video_us: self.video_us });
    }

    /// The video loses its last `lost_us` and stands still for `us`.
    fn gap(&mut self, cause: GapCause, us: u64, lost_us: u64) {
        if self.paused == Some(true) {
            self.say(RecorderEvent::GapBegan { cause, video_us: self.video_us });
            self.pass(us);
            self.say(RecorderEvent::GapEnded { video_us: self.video_us });
            return;
        }
        self.lose(lost_us);
        self.say(RecorderEvent::GapBegan { cause, video_us: self.video_us });
        self.close_part();
        self.idle(us);
        self.truth.gaps_us += us;
        self.open_part();
        self.say(RecorderEvent::GapEnded { video_us: self.video_us });
    }

    fn die(&mut self, lost_us: u64, down_us: u64, clock: Clock, lives_on: bool) {
        self.lose(lost_us);
        let history = self.history(false);
        let end_us = self.video_us;
        let older = Folded::of(&history).seen_runs(&history, |_| Some(end_us));
        if lives_on {
            // Nothing of this counts: the successor did not see it.
            for _ in 0..3 {
                self.say(RecorderEvent::Stopped { by: By::Limit, video_us: 123 * MS });
                self.say(RecorderEvent::Paused { by: By::Page, video_us: 5, cut: true });
            }
        }
        let start_us = 900 * MS;
        self.idle(down_us);
        self.clock = clock;
        self.begin_run(older);
        self.idle(start_us);
        match self.paused {
            Some(true) => self.truth.cut_paused_us += down_us + start_us,
            _ => self.truth.gaps_us += down_us + start_us,
        }
        self.say(RecorderEvent::PageLoaded);
        self.open_part();
    }

    /// Ends the recording.
    pub fn stop(&mut self) -> Truth {
        self.edge(IntentState::Stopped);
        self.close_part();
        self.say(RecorderEvent::Figures(Figures { frames: 9, ..Figures::default() }));
        self.say(RecorderEvent::Stopped { by: By::Keyboard, video_us: self.video_us });
        Truth { recorded_us: self.video_us, wall_us: self.now_us - self.first_frame_us, ..self.truth.clone() }
    }

    pub fn history(&self, published: bool) -> History {
        let events = [
            PublisherEvent::RunStarted { run: RunNumber(1) },
            PublisherEvent::TranscodeStarted,
            PublisherEvent::UploadStarted,
            PublisherEvent::Delivered {
                videos: vec![Video {
                    filename: "a.mp4".into(),
                    size_bytes: 9,
                    duration_seconds: 1.0,
                    url: None,
                    file_id: None,
                }],
            },
            PublisherEvent::Finished,
        ];
        let mut publisher = Vec::new();
        if published {
            let mut log = RunLog { run: RunNumber(1), lines: Vec::new() };
            for event in events {
                push(&mut log, self.moment(), event);
            }
            publisher.push(log);
        }
        History::new(self.logs.clone(), publisher)
    }

    fn begin_run(&mut self, older: Vec<panorec::session::event::SeenRun>) {
        let run = RunNumber(self.logs.len() as u32 + 1);
        self.logs.push(RunLog { run, lines: Vec::new() });
        self.part = 0;
        self.say(RecorderEvent::RunStarted { run, older });
    }

    fn edge(&mut self, state: IntentState) {
        self.say(RecorderEvent::Edge { by: By::Page, state: Some(state), reload: false, told: None });
    }

    fn open_part(&mut self) {
        self.part += 1;
        self.part_start_us = self.video_us;
        self.say(RecorderEvent::PartOpened { part: self.part_name(), video_us: self.video_us });
    }

    fn close_part(&mut self) {
        self.say(RecorderEvent::PartClosed { part: self.part_name(), end_video_us: self.video_us });
    }

    fn part_name(&self) -> PartName {
        PartName { run: RunNumber(self.logs.len() as u32), part: self.part }
    }

    /// Time passes while the recorder is at work.
    fn pass(&mut self, us: u64) {
        self.idle(us);
        if self.paused == Some(true) {
            self.truth.cut_paused_us += us;
        } else {
            self.video_us += us;
        }
    }

    fn idle(&mut self, us: u64) {
        self.now_us += us;
    }

    /// The end of the open part turns out not to be on disk.
    fn lose(&mut self, us: u64) {
        let lost_us = us.min(self.video_us - self.part_start_us);
        self.video_us -= lost_us;
        self.truth.gaps_us += lost_us;
    }

    fn moment(&self) -> Moment {
        let created: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let wall = SignedDuration::from_micros(self.now_us as i64) + SignedDuration::from_millis(self.clock.skew_ms);
        Moment { wall: created + wall, mono_us: self.clock.booted_ms * MS + self.now_us }
    }

    fn say(&mut self, event: RecorderEvent) {
        let at = self.moment();
        push(self.logs.last_mut().unwrap(), at, event);
    }
}

pub fn push<E: serde::Serialize>(log: &mut RunLog<E>, at: Moment, event: E) {
    let entry = Entry { v: EVENT_VERSION, at, event };
    let end_offset = log.bytes() + serde_json::to_vec(&entry).unwrap().len() as u64 + 1;
    log.lines.push(Line { entry, end_offset });
}
