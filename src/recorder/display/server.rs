//! Starting and checking the X server.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use x11rb::connection::Connection;
use x11rb::protocol::randr::ConnectionExt as _;
use x11rb::rust_connection::{DefaultStream, RustConnection};

use super::mode::Mode;
use crate::recorder::child::{Child, ChildError, Recipe, find_program};
use crate::recorder::identity;
use crate::recorder::workplace::Workplace;
use crate::session::event::DisplayKind;

const READY: Duration = Duration::from_secs(10);
const SOCKETS: &str = "/tmp/.X11-unix";
const AUTH_NAME: &[u8] = b"MIT-MAGIC-COOKIE-1";

/// No display could be had.
#[derive(Debug, thiserror::Error)]
pub enum DisplayError {
    #[error(transparent)]
    Child(#[from] ChildError),
    #[error("no X server found: install xserver-xorg-core and xserver-xorg-video-dummy, or xvfb")]
    Missing,
    #[error("cannot prepare the display: {0}")]
    Io(#[from] io::Error),
    #[error("the X server shows {got}, not {asked}")]
    WrongMode { asked: String, got: String },
    #[error("cannot talk to the X server: {0}")]
    Protocol(String),
}

/// A running X server; ends with its value.
#[derive(Debug)]
pub struct Display {
    pub child: Child,
    pub kind: DisplayKind,
    pub mode: Mode,
    /// Why this is not the Xorg dummy screen, if it is not.
    pub fallback: Option<String>,
    address: Address,
}

/// How to connect to a display.
#[derive(Debug, Clone)]
pub struct Address {
    number: u32,
    cookie: [u8; 16],
    authority: PathBuf,
}

impl Address {
    /// DISPLAY and XAUTHORITY for a child.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        [("DISPLAY", format!(":{}", self.number)), ("XAUTHORITY", self.authority.display().to_string())]
    }

    fn socket(&self) -> PathBuf {
        Path::new(SOCKETS).join(format!("X{}", self.number))
    }

    /// A connection of our own, and the number of its screen.
    pub fn connect(&self) -> Result<(RustConnection, usize), DisplayError> {
        let protocol = |e: &dyn std::fmt::Display| DisplayError::Protocol(e.to_string());
        let (stream, _) = DefaultStream::from_unix_stream(UnixStream::connect(self.socket())?)?;
        RustConnection::connect_to_stream_with_auth_info(stream, 0, AUTH_NAME.to_vec(), self.cookie.to_vec())
            .map(|connection| (connection, 0))
            .map_err(|e| protocol(&e))
    }
}

impl Display {
    /// Starts Xorg with the dummy driver; where that cannot be, Xvfb.
    pub async fn start(workplace: &Workplace, mode: Mode) -> Result<Self, DisplayError> {
        make_socket_folder();
        match Self::start_kind(workplace, mode, DisplayKind::Xorg).await {
            Ok(display) => Ok(display),
            Err(error) => {
                tracing::warn!(%error, "no Xorg dummy display, using Xvfb: Chrome will draw at 60 Hz");
                let mut display = Self::start_kind(workplace, mode, DisplayKind::Xvfb).await?;
                display.fallback = Some(error.to_string());
                Ok(display)
            }
        }
    }

    async fn start_kind(workplace: &Workplace, mode: Mode, kind: DisplayKind) -> Result<Self, DisplayError> {
        let cookie = *uuid::Uuid::new_v4().as_bytes();
        let authority = workplace.file("x", "authority", &authority_file(&cookie))?;
        let mut child = match kind {
            DisplayKind::Xorg => xorg(workplace, mode, &authority)?,
            DisplayKind::Xvfb => xvfb(workplace, mode, &authority)?,
        };
        let stdout = child.process().stdout.take().ok_or(DisplayError::Missing)?;
        let line = child.ready(READY, async {
            let mut line = String::new();
            if BufReader::new(stdout).read_line(&mut line).await? == 0 {
                // It is about to end, and that says more.
                std::future::pending::<()>().await;
            }
            Ok(line)
        });
        let number = line
            .await?
            .trim()
            .parse()
            .map_err(|_| DisplayError::Protocol("it did not tell its display number".to_owned()))?;
        let address = Address { number, cookie, authority };
        let display = Self { child, kind, mode, fallback: None, address };
        display.check()?;
        Ok(display)
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The driver falls back to other modes without a word, so the mode is read back.
    fn check(&self) -> Result<(), DisplayError> {
        let protocol = |e: &dyn std::fmt::Display| DisplayError::Protocol(e.to_string());
        let (connection, screen) = self.address.connect()?;
        let root = connection.setup().roots[screen].root;
        let resources = connection.randr_get_screen_resources(root).map_err(|e| protocol(&e))?;
        let resources = resources.reply().map_err(|e| protocol(&e))?;
        let setup = &connection.setup().roots[screen];
        let (width, height) = (u32::from(setup.width_in_pixels), u32::from(setup.height_in_pixels));
        let asked = self.mode.name();
        let mut shown = format!("{width}x{height}");
        let mut right = (width, height) == (self.mode.width, self.mode.height);
        if self.kind == DisplayKind::Xorg {
            let current = resources.crtcs.iter().find_map(|crtc| {
                let info = connection.randr_get_crtc_info(*crtc, resources.config_timestamp).ok()?.reply().ok()?;
                resources.modes.iter().find(|mode| mode.id == info.mode).copied()
            });
            if let Some(mode) = current {
                let total = f64::from(mode.htotal) * f64::from(mode.vtotal);
                let hz = f64::from(mode.dot_clock) / total.max(1.0);
                shown = format!("{shown} at {hz:.2} Hz");
                right &= (hz - f64::from(self.mode.hz)).abs() < 0.5;
            }
        }
        if right { Ok(()) } else { Err(DisplayError::WrongMode { asked, got: shown }) }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // A killed server leaves these behind.
        let _ = std::fs::remove_file(self.address.socket());
        let _ = std::fs::remove_file(format!("/tmp/.X{}-lock", self.address.number));
    }
}

fn xorg(workplace: &Workplace, mode: Mode, authority: &Path) -> Result<Child, DisplayError> {
    let program = find_program(&["/usr/lib/xorg/Xorg", "/usr/libexec/Xorg", "Xorg"]).ok_or(DisplayError::Missing)?;
    let config = workplace.file("x", "xorg.conf", config_file(mode).as_bytes())?;
    let folder = workplace.folder("x")?;
    let mut recipe = Recipe::new("Xorg", &program, &folder, workplace.identity);
    let command = recipe.command();
    command.args(["-displayfd", "1", "-noreset", "-nolisten", "tcp", "-novtswitch", "-sharevts", "-keeptty"]);
    command.arg("-auth").arg(authority).arg("-config").arg(config);
    command.arg("-logfile").arg(folder.join("server.log"));
    command.stdout(Stdio::piped());
    Ok(recipe.spawn()?)
}

fn xvfb(workplace: &Workplace, mode: Mode, authority: &Path) -> Result<Child, DisplayError> {
    let program = find_program(&["Xvfb"]).ok_or(DisplayError::Missing)?;
    let mut recipe = Recipe::new("Xvfb", &program, &workplace.folder("x")?, workplace.identity);
    let command = recipe.command();
    command.args(["-displayfd", "1", "-noreset", "-nolisten", "tcp", "-screen", "0"]);
    command.arg(format!("{}x{}x24", mode.width, mode.height)).arg("-auth").arg(authority);
    command.stdout(Stdio::piped());
    Ok(recipe.spawn()?)
}

/// A server that is not root would make this folder its own and others could not use it well.
fn make_socket_folder() {
    use std::os::unix::fs::PermissionsExt;
    if nix::unistd::Uid::effective().is_root() && std::fs::create_dir(SOCKETS).is_ok() {
        let _ = std::fs::set_permissions(SOCKETS, std::fs::Permissions::from_mode(0o1777));
    }
    remove_abandoned_sockets();
}

/// Killed servers leave their sockets, and each takes a display number away.
fn remove_abandoned_sockets() {
    let Ok(entries) = std::fs::read_dir(SOCKETS) else { return };
    for entry in entries.flatten() {
        let ours = entry.metadata().is_ok_and(|meta| identity::is_ours(meta.uid()));
        let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        if ours && UnixStream::connect(entry.path()).is_err_and(|error| refused(&error)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// One entry of an Xauthority file that fits any host and display (Xau(3): family, then
/// address, number, name and data, each with a 16-bit big-endian length).
fn authority_file(cookie: &[u8; 16]) -> Vec<u8> {
    const FAMILY_WILD: u16 = 0xffff;
    let mut entry = FAMILY_WILD.to_be_bytes().to_vec();
    for field in [&b""[..], b"", AUTH_NAME, cookie] {
        entry.extend((field.len() as u16).to_be_bytes());
        entry.extend(field);
    }
    entry
}

fn config_file(mode: Mode) -> String {
    // In kilobytes; twice the screen, as the driver keeps more than the front buffer in it.
    let video_ram = (mode.width * mode.height * 8 / 1024).max(16_384);
    format!(
        r#"Section "ServerFlags"
  Option "AutoAddDevices" "false"
  Option "AutoEnableDevices" "false"
  Option "AutoAddGPU" "false"
  Option "DontVTSwitch" "true"
  Option "BlankTime" "0"
  Option "StandbyTime" "0"
  Option "SuspendTime" "0"
  Option "OffTime" "0"
EndSection
Section "Module"
  Disable "glx"
  Disable "dri2"
EndSection
Section "Device"
  Identifier "device"
  Driver "dummy"
  VideoRam {video_ram}
EndSection
Section "Monitor"
  Identifier "monitor"
  HorizSync 0.1-10000
  VertRefresh 1-1000
  {mode}
EndSection
Section "Screen"
  Identifier "screen"
  Device "device"
  Monitor "monitor"
  DefaultDepth 24
  SubSection "Display"
    Depth 24
    Modes "{name}"
    Virtual {width} {height}
  EndSubSection
EndSection
"#,
        name = mode.name(),
        width = mode.width,
        height = mode.height,
    )
}
