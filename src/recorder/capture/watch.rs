//! The capture thread: finds Chrome's window, keeps it at its size, and takes a picture of it
//! whenever it has changed.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;
use nix::sys::socket::{Shutdown, shutdown};
use x11rb::connection::Connection;
use x11rb::errors::{ConnectionError, ReplyError, ReplyOrIdError};
use x11rb::protocol::Event;
use x11rb::protocol::composite::{ConnectionExt as _, Redirect};
use x11rb::protocol::damage::{ConnectionExt as _, Damage, ReportLevel};
use x11rb::protocol::xfixes::ConnectionExt as _;
use x11rb::protocol::xproto::{
    ChangeWindowAttributesAux, ConfigureWindowAux, ConnectionExt as _, EventMask, MapState, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;

use super::grab::{Grabber, Rows};
use super::pace::Pace;
use super::picture::{Frame, Picture, Pool};
use crate::recorder::clock::now_us;
use crate::recorder::display::{Display, DisplayError};

/// Windows smaller than this in both directions are Chrome's helpers (clipboard, session).
const HELPER_SIZE: u16 = 11;

/// Capture ended or could not begin.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error(transparent)]
    Display(#[from] DisplayError),
    #[error("the X server went away: {0}")]
    Connection(#[from] ConnectionError),
    #[error("the X server refused: {0}")]
    Reply(#[from] ReplyError),
    #[error("no more X identifiers: {0}")]
    Ids(#[from] ReplyOrIdError),
    #[error("capture: {0}")]
    Protocol(String),
    #[error("capture: {0}")]
    Io(#[from] io::Error),
}

/// What the capture thread tells.
#[derive(Debug)]
pub enum CaptureEvent {
    /// Chrome's window is there in its full size.
    WindowReady,
    /// Chrome's window is gone; no more frames until another is ready.
    WindowGone,
    /// A picture after a wish for one, or after a change.
    Frame(Frame),
    /// The thread has ended.
    Ended(Option<CaptureError>),
}

enum Wish {
    /// A picture at this time (monotonic, in microseconds), changed or not.
    Picture(i64),
    End,
}

/// The running capture thread; ends with its value.
pub struct Capture {
    wishes: Sender<Wish>,
    wake: Arc<EventFd>,
    /// The connection to the X server.
    socket: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    /// Starts capturing `width` x `height` pixels of Chrome's window. `tell` is called on the
    /// capture thread and must not block.
    pub fn start(
        display: &Display,
        (width, height): (u32, u32),
        frame_rate: u32,
        mut tell: impl FnMut(CaptureEvent) + Send + 'static,
    ) -> Result<Self, CaptureError> {
        let (connection, screen) = display.address().connect()?;
        let (wishes, wished) = channel();
        let wake = Arc::new(EventFd::new().map_err(io::Error::from)?);
        let mut watcher = Watcher {
            root: connection.setup().roots[screen].root,
            grabber: Grabber::new(&connection, width, height)?,
            connection,
            picture: Picture::black(width, height),
            pool: Pool::default(),
            pace: Pace::new(frame_rate, display.mode.hz),
            target: None,
            changed: Rows::NONE,
            wished: None,
        };
        watcher.prepare()?;
        let socket = watcher.connection.stream().as_fd().try_clone_to_owned()?;
        let own_wake = Arc::clone(&wake);
        let thread = std::thread::Builder::new().name("capture".into()).spawn(move || {
            let end = watcher.run(&own_wake, &wished, &mut tell);
            tell(CaptureEvent::Ended(end.err()));
        })?;
        Ok(Self { wishes, wake, socket, thread: Some(thread) })
    }

    /// Asks for a picture of the page as it is at this time, monotonic, in microseconds.
    pub fn wish_for_picture(&self, at_us: i64) {
        self.send(Wish::Picture(at_us));
    }

    fn send(&self, wish: Wish) {
        let _ = self.wishes.send(wish);
        let _ = self.wake.write(1);
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.send(Wish::End);
        // It may be waiting for a server that is stuck.
        let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Chrome's window and the damage counter on it.
struct Target {
    window: Window,
    damage: Damage,
    full_size: bool,
}

struct Watcher {
    connection: RustConnection,
    root: Window,
    grabber: Grabber,
    picture: Picture,
    pool: Pool,
    pace: Pace,
    target: Option<Target>,
    changed: Rows,
    wished: Option<i64>,
}

impl Watcher {
    fn prepare(&mut self) -> Result<(), CaptureError> {
        let connection = &self.connection;
        connection.damage_query_version(1, 1)?.reply()?;
        connection.xfixes_query_version(5, 0)?.reply()?;
        connection.composite_query_version(0, 4)?.reply()?;
        // Each window is drawn into memory of its own: whatever lies over Chrome's page window
        // (a bubble, a dialog, a pop-up) never gets into the picture.
        connection.composite_redirect_subwindows(self.root, Redirect::MANUAL)?.check()?;
        let watch = ChangeWindowAttributesAux::new().event_mask(EventMask::SUBSTRUCTURE_NOTIFY);
        connection.change_window_attributes(self.root, &watch)?.check()?;
        // Out of the way, so that nothing on the page looks hovered.
        let (x, y) = (self.picture.width as i16, self.picture.height as i16);
        connection.warp_pointer(x11rb::NONE, self.root, 0, 0, 0, 0, x, y)?.check()?;
        let windows = connection.query_tree(self.root)?.reply()?.children;
        for window in windows {
            self.consider(window)?;
        }
        Ok(())
    }

    fn run(
        &mut self,
        wake: &EventFd,
        wished: &Receiver<Wish>,
        tell: &mut dyn FnMut(CaptureEvent),
    ) -> Result<(), CaptureError> {
        loop {
            loop {
                match wished.try_recv() {
                    // One picture serves all who wish for that time or an earlier one.
                    Ok(Wish::Picture(at_us)) => self.wished = self.wished.max(Some(at_us)),
                    Ok(Wish::End) | Err(TryRecvError::Disconnected) => return Ok(()),
                    Err(TryRecvError::Empty) => break,
                }
            }
            while let Some(event) = self.connection.poll_for_event()? {
                self.handle(&event, tell)?;
            }
            if self.is_due() {
                self.take(tell)?;
                continue;
            }
            self.wait(wake)?;
        }
    }

    fn is_wished(&self) -> bool {
        self.wished.is_some_and(|at| now_us() >= at)
    }

    fn is_due(&self) -> bool {
        let ready = self.target.as_ref().is_some_and(|target| target.full_size);
        ready && (self.is_wished() || (!self.changed.is_empty() && now_us() >= self.pace.next()))
    }

    fn wait(&self, wake: &EventFd) -> Result<(), CaptureError> {
        self.connection.flush()?;
        let change = (!self.changed.is_empty()).then(|| self.pace.next());
        let due = self.target.as_ref().and([change, self.wished].into_iter().flatten().min());
        let timeout = due.map_or(PollTimeout::NONE, |due| {
            let millis = (due - now_us()).div_euclid(1000) + 1;
            PollTimeout::from(millis.clamp(0, 1000) as u16)
        });
        let mut fds = [
            PollFd::new(self.connection.stream().as_fd(), PollFlags::POLLIN),
            PollFd::new(wake.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
        if fds[1].any() == Some(true) {
            let _ = wake.read();
        }
        Ok(())
    }

    fn take(&mut self, tell: &mut dyn FnMut(CaptureEvent)) -> Result<(), CaptureError> {
        let Some(target) = &self.target else {
            return Ok(());
        };
        // Before the read: what changes from here on counts for the next picture.
        self.connection.damage_subtract(target.damage, x11rb::NONE, x11rb::NONE)?;
        let at_us = now_us();
        // Only a picture of that time or later is what was wished for; another may never come.
        let wished = self.wished.is_some_and(|at| at_us >= at);
        if wished {
            self.wished = None;
        }
        let rows = if wished { Rows::all(self.picture.height) } else { self.changed };
        match self.grabber.read(&self.connection, target.window, rows, &mut self.picture) {
            // The window may go away at any time; its event is on the way.
            Err(CaptureError::Reply(ReplyError::X11Error(error))) => {
                tracing::debug!(?error, "no picture");
                self.changed = Rows::NONE;
                return Ok(());
            }
            other => other?,
        }
        self.pace.taken(at_us);
        self.changed = Rows::NONE;
        tell(CaptureEvent::Frame(Frame { at_us, refresh: !wished, picture: self.pool.copy(&self.picture) }));
        Ok(())
    }

    fn handle(&mut self, event: &Event, tell: &mut dyn FnMut(CaptureEvent)) -> Result<(), CaptureError> {
        let is_target = |target: &Option<Target>, window| target.as_ref().is_some_and(|t| t.window == window);
        match event {
            Event::DamageNotify(notify) if is_target(&self.target, notify.drawable) => {
                let area = notify.area;
                self.changed = self.changed.with(area.y.into(), area.height.into(), self.picture.height);
            }
            Event::MapNotify(notify) => self.consider(notify.window)?,
            Event::ConfigureNotify(notify) if is_target(&self.target, notify.window) => {
                self.check_size((notify.width.into(), notify.height.into()), tell)?;
            }
            Event::UnmapNotify(notify) if is_target(&self.target, notify.window) => self.lose(tell),
            Event::DestroyNotify(notify) if is_target(&self.target, notify.window) => self.lose(tell),
            _ => {}
        }
        Ok(())
    }

    fn lose(&mut self, tell: &mut dyn FnMut(CaptureEvent)) {
        self.target = None;
        self.changed = Rows::NONE;
        tell(CaptureEvent::WindowGone);
    }

    /// Takes a window as Chrome's page window if it looks like it: the first large one that is
    /// not a menu or bubble (those are override-redirect).
    fn consider(&mut self, window: Window) -> Result<(), CaptureError> {
        if self.target.is_some() {
            return Ok(());
        }
        let attributes = self.connection.get_window_attributes(window)?;
        let geometry = self.connection.get_geometry(window)?;
        // Gone already: not it.
        let (Ok(attributes), Ok(geometry)) = (attributes.reply(), geometry.reply()) else {
            return Ok(());
        };
        let large = geometry.width >= HELPER_SIZE || geometry.height >= HELPER_SIZE;
        let page = attributes.class == WindowClass::INPUT_OUTPUT
            && attributes.map_state == MapState::VIEWABLE
            && !attributes.override_redirect;
        if !(large && page) {
            return Ok(());
        }
        let damage = self.connection.generate_id()?;
        self.connection.damage_create(damage, window, ReportLevel::BOUNDING_BOX)?.check()?;
        self.target = Some(Target { window, damage, full_size: false });
        // Chrome makes its window a pixel smaller than the screen where there is no window
        // manager. Asking for the size also makes the server tell us the size it has.
        let (width, height) = (self.picture.width, self.picture.height);
        let place = ConfigureWindowAux::new().x(0).y(0).width(width).height(height);
        self.connection.configure_window(window, &place)?.check()?;
        if (u32::from(geometry.width), u32::from(geometry.height)) == (width, height) {
            // An unchanged window gets no event, so another size in between makes one.
            self.connection.configure_window(window, &ConfigureWindowAux::new().width(width + 1))?.check()?;
            self.connection.configure_window(window, &place)?.check()?;
        }
        Ok(())
    }

    fn check_size(&mut self, size: (u32, u32), tell: &mut dyn FnMut(CaptureEvent)) -> Result<(), CaptureError> {
        let wanted = (self.picture.width, self.picture.height);
        let Some(target) = &mut self.target else {
            return Ok(());
        };
        if size == wanted {
            if !target.full_size {
                target.full_size = true;
                // Another window than before, maybe: nothing of the last picture is true of it.
                self.changed = Rows::all(self.picture.height);
                tell(CaptureEvent::WindowReady);
            }
        } else if target.full_size {
            // Chrome changed its mind (full screen does that); the picture keeps its size.
            let place = ConfigureWindowAux::new().x(0).y(0).width(wanted.0).height(wanted.1);
            self.connection.configure_window(target.window, &place)?;
        }
        Ok(())
    }
}
