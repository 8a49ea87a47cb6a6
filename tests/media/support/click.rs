//! A click as a person's mouse makes it: through the X display that the recorder owns.

use std::os::unix::fs::MetadataExt;

use x11rb::connection::Connection;
use x11rb::protocol::xproto::{BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ConnectionExt as _, MOTION_NOTIFY_EVENT};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::reexports::x11rb_protocol::parse_display::parse_display;
use x11rb::rust_connection::{DefaultStream, RustConnection};

use super::panorec::{Kind, Run};

/// Presses and releases the left button at a place of the recorded page.
pub fn click(run: &Run, x: i16, y: i16) {
    let server = run.find(Kind::Display).expect("an X server");
    let line = server.command_line();
    let words: Vec<&str> = line.split(' ').collect();
    let after = |option: &str| words.iter().position(|word| *word == option).map(|at| words[at + 1]);
    let connection = connect(&display_of(server.pid), after("-auth"));
    let root = connection.setup().roots[0].root;
    let fake = |kind, detail| {
        let sent = connection.xtest_fake_input(kind, detail, 0, root, x, y, 0);
        sent.expect("XTEST").check().expect("XTEST");
    };
    fake(MOTION_NOTIFY_EVENT, 0);
    fake(BUTTON_PRESS_EVENT, 1);
    fake(BUTTON_RELEASE_EVENT, 1);
    connection.get_input_focus().expect("sent").reply().expect("the clicks arrived");
}

/// The name of a server's display: it listens on the newest socket of its user.
fn display_of(server: i32) -> String {
    let owner = |path: &std::path::Path| {
        std::fs::metadata(path).map(|meta| (meta.uid(), meta.ctime_nsec() + meta.ctime() * 1_000_000_000))
    };
    let (user, _) = owner(format!("/proc/{server}").as_ref()).expect("the server");
    let sockets = std::fs::read_dir("/tmp/.X11-unix").expect("sockets").flatten();
    let own = sockets.filter_map(|socket| {
        let (uid, made) = owner(&socket.path()).ok()?;
        let number = socket.file_name().into_string().ok()?.strip_prefix('X')?.to_owned();
        (uid == user).then_some((made, number))
    });
    format!(":{}", own.max().expect("the display's socket").1)
}

fn connect(display: &str, authority: Option<&str>) -> RustConnection {
    let parsed = parse_display(Some(display));
    let parsed = parsed.expect("a display's name");
    let address = parsed.connect_instruction().next().expect("an address");
    let (stream, _) = DefaultStream::connect(&address).expect("the display's socket");
    let (name, data) = authority.map(read_authority).unwrap_or_default();
    RustConnection::connect_to_stream_with_auth_info(stream, 0, name, data).expect("the display")
}

/// The first entry of an Xauthority file: family, then address, number, name and data with their
/// lengths.
fn read_authority(path: &str) -> (Vec<u8>, Vec<u8>) {
    let bytes = std::fs::read(path).expect("the display's Xauthority");
    let mut rest = &bytes[2..];
    let mut field = || {
        let length = u16::from_be_bytes([rest[0], rest[1]]) as usize;
        let (value, after) = rest[2..].split_at(length);
        rest = after;
        value.to_vec()
    };
    let (_, _, name, data) = (field(), field(), field(), field());
    (name, data)
}
