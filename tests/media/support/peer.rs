//! A WebRTC peer that sends tiles of VP8 video and Opus sound, paced as a camera would; of four kinds, in turn.
//!
//! One connection for all of them, like that of a meeting's server. It listens on the address of
//! the default route: a browser offers no loopback candidates.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{IpAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::format::Codec;
use str0m::media::{Direction, Frequency, MediaKind, MediaTime, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use super::kit_media;
use super::ogg_ivf::{read_ivf, read_opus};
use super::server::{Answer, Server};

pub const TILES: usize = 4;
const VIDEO_INTERVAL: Duration = Duration::from_nanos(1_000_000_000 / 30);
const SOUND_INTERVAL: Duration = Duration::from_millis(20);

/// The pages' server with the peer behind `/offer`.
pub struct Meeting {
    pub server: Server,
    stop: Arc<AtomicBool>,
    calls: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Meeting {
    pub fn start() -> Meeting {
        str0m::crypto::from_feature_flags().install_process_default();
        let stop = Arc::new(AtomicBool::new(false));
        let calls = Arc::new(Mutex::new(Vec::new()));
        let answer: Answer = Box::new({
            let (stop, calls) = (stop.clone(), calls.clone());
            move |offer: &[u8]| match Call::answer(offer) {
                Ok((mut call, answer)) => {
                    let stop = stop.clone();
                    let thread = std::thread::spawn(move || call.run(&stop));
                    calls.lock().expect("not poisoned").push(thread);
                    (200, answer)
                }
                Err(error) => (500, error.into_bytes()),
            }
        });
        let server = Server::with(None, HashMap::from([("/offer".to_owned(), answer)]));
        Meeting { server, stop, calls }
    }
}

impl Drop for Meeting {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for call in self.calls.lock().expect("not poisoned").drain(..) {
            let _ = call.join();
        }
    }
}

/// The address this machine would use towards the rest of the world; nothing is sent.
fn own_address() -> Result<IpAddr, String> {
    let route = "WebRTC in a browser needs a default route, and this machine has none";
    let socket = UdpSocket::bind("0.0.0.0:0").map_err(|error| error.to_string())?;
    socket.connect("198.51.100.1:9").map_err(|error| format!("{route} ({error})"))?;
    socket.local_addr().map(|address| address.ip()).map_err(|error| error.to_string())
}

/// One track being sent: its packets go round.
struct Track {
    mid: Mid,
    kind: MediaKind,
    packets: Vec<Vec<u8>>,
    next: usize,
    due: Instant,
}

impl Track {
    fn interval(&self) -> Duration {
        match self.kind {
            MediaKind::Video => VIDEO_INTERVAL,
            MediaKind::Audio => SOUND_INTERVAL,
        }
    }

    fn time(&self) -> MediaTime {
        match self.kind {
            MediaKind::Video => MediaTime::from_90khz(self.next as u64 * 3000),
            MediaKind::Audio => MediaTime::new(self.next as u64 * 960, Frequency::FORTY_EIGHT_KHZ),
        }
    }
}

struct Call {
    rtc: Rtc,
    socket: UdpSocket,
    tracks: Vec<Track>,
    connected: bool,
}

impl Call {
    fn answer(offer: &[u8]) -> Result<(Call, Vec<u8>), String> {
        let offer: SdpOffer = serde_json::from_slice(offer).map_err(|error| error.to_string())?;
        let config = RtcConfig::new().clear_codecs().enable_vp8(true).enable_opus(true, false);
        let mut rtc = config.build(Instant::now());
        let socket = UdpSocket::bind((own_address()?, 0)).map_err(|error| error.to_string())?;
        let address = socket.local_addr().map_err(|error| error.to_string())?;
        let candidate = Candidate::host(address, "udp").map_err(|error| error.to_string())?;
        rtc.add_local_candidate(candidate);
        let answer = rtc.sdp_api().accept_offer(offer).map_err(|error| error.to_string())?;
        let answer = serde_json::to_vec(&answer).map_err(|error| error.to_string())?;
        Ok((Call { rtc, socket, tracks: Vec::new(), connected: false }, answer))
    }

    fn run(&mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) && self.rtc.is_alive() {
            if let Err(error) = self.step() {
                println!("    the peer's call ended: {error}");
                return;
            }
        }
    }

    fn step(&mut self) -> Result<(), String> {
        let until = self.drain()?;
        let now = Instant::now();
        if self.connected && self.send_due(now)? {
            return Ok(());
        }
        let due = self.tracks.iter().map(|track| track.due).min().filter(|_| self.connected);
        let wait = due.map_or(until, |due| due.min(until)).saturating_duration_since(now);
        if wait.is_zero() {
            return self.rtc.handle_input(Input::Timeout(now)).map_err(|error| error.to_string());
        }
        self.receive(wait.min(Duration::from_millis(100)))
    }

    /// Sends and notes whatever the connection wants to; when it wants to be called again.
    fn drain(&mut self) -> Result<Instant, String> {
        loop {
            match self.rtc.poll_output().map_err(|error| error.to_string())? {
                Output::Timeout(until) => return Ok(until),
                Output::Transmit(packet) => {
                    // A full buffer is a lost packet, as on any network.
                    let _ = self.socket.send_to(&packet.contents, packet.destination);
                }
                Output::Event(Event::Connected) => {
                    self.connected = true;
                    let now = Instant::now();
                    self.tracks.iter_mut().for_each(|track| track.due = now);
                }
                Output::Event(Event::MediaAdded(media)) => {
                    if matches!(media.direction, Direction::SendOnly | Direction::SendRecv) {
                        self.add_track(media.mid, media.kind);
                    }
                }
                Output::Event(_) => {}
            }
        }
    }

    fn add_track(&mut self, mid: Mid, kind: MediaKind) {
        let number = self.tracks.iter().filter(|track| track.kind == kind).count() % TILES;
        let packets = match kind {
            MediaKind::Video => read_ivf(&kit_media().join(format!("tile{number}.ivf"))),
            MediaKind::Audio => read_opus(&kit_media().join(format!("tile{number}.ogg"))),
        };
        self.tracks.push(Track { mid, kind, packets, next: 0, due: Instant::now() });
    }

    /// One packet of the first track that is due; whether there was one.
    fn send_due(&mut self, now: Instant) -> Result<bool, String> {
        let Some(track) = self.tracks.iter_mut().filter(|track| track.due <= now).min_by_key(|t| t.due) else {
            return Ok(false);
        };
        let codec = match track.kind {
            MediaKind::Video => Codec::Vp8,
            MediaKind::Audio => Codec::Opus,
        };
        let writer = self.rtc.writer(track.mid).ok_or("a track without a writer")?;
        let format = writer.payload_params().find(|params| params.spec().codec == codec);
        let format = format.ok_or_else(|| format!("{codec} was not agreed on"))?.pt();
        let packet = track.packets[track.next % track.packets.len()].clone();
        writer.write(format, track.due, track.time(), packet).map_err(|error| error.to_string())?;
        track.next += 1;
        track.due += track.interval();
        Ok(true)
    }

    fn receive(&mut self, wait: Duration) -> Result<(), String> {
        let mut buffer = [0; 2000];
        self.socket.set_read_timeout(Some(wait)).map_err(|error| error.to_string())?;
        let input = match self.socket.recv_from(&mut buffer) {
            Ok((count, source)) => {
                let destination = self.socket.local_addr().map_err(|error| error.to_string())?;
                let Ok(contents) = buffer[..count].try_into() else {
                    return Ok(());
                };
                let packet = Receive { proto: Protocol::Udp, source, destination, contents };
                Input::Receive(Instant::now(), packet)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Input::Timeout(Instant::now())
            }
            Err(error) => return Err(error.to_string()),
        };
        self.rtc.handle_input(input).map_err(|error| error.to_string())
    }
}
