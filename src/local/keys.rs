//! Keys on the terminal: single letters, without Enter.

use std::io::{IsTerminal, Read};
use std::thread;

use nix::sys::termios::{self, LocalFlags, SetArg, SpecialCharacterIndices, Termios};
use tokio::sync::mpsc;

use crate::recorder::control::Key;
use crate::session::intent::IntentState;

/// The keys of this process's terminal while it is held; the terminal is put back when dropped.
pub(super) struct Keys {
    pressed: mpsc::Receiver<Key>,
    before: Termios,
}

impl Keys {
    /// None when standard input is no terminal, or another job has it.
    pub(super) fn listen() -> Option<Keys> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return None;
        }
        // A background job that touches its terminal is stopped.
        let foreground = nix::unistd::tcgetpgrp(&stdin).ok()?;
        if foreground != nix::unistd::getpgrp() {
            return None;
        }
        let before = termios::tcgetattr(&stdin).ok()?;
        let mut raw = before.clone();
        // Signals stay on: Ctrl-C is a signal and no key.
        raw.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        set(&mut raw, SpecialCharacterIndices::VMIN, 1);
        set(&mut raw, SpecialCharacterIndices::VTIME, 0);
        termios::tcsetattr(&stdin, SetArg::TCSANOW, &raw).ok()?;
        let (sender, pressed) = mpsc::channel(16);
        // It ends with the process; nothing can wake a read of a terminal.
        thread::Builder::new()
            .name("keys".into())
            .spawn(move || read_keys(&sender))
            .map_err(|error| tracing::warn!(%error, "no keys"))
            .ok();
        Some(Keys { pressed, before })
    }

    /// The next key; waits for ever once the terminal is gone.
    pub(super) async fn next(keys: &mut Option<Keys>) -> Key {
        if let Some(keys) = keys
            && let Some(key) = keys.pressed.recv().await
        {
            return key;
        }
        std::future::pending().await
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.before);
    }
}

fn set(termios: &mut Termios, index: SpecialCharacterIndices, value: u8) {
    if let Some(place) = termios.control_chars.get_mut(index as usize) {
        *place = value;
    }
}

fn read_keys(sender: &mpsc::Sender<Key>) {
    let mut byte = [0];
    while let Ok(1) = std::io::stdin().lock().read(&mut byte) {
        let key = match byte[0].to_ascii_lowercase() {
            b'p' => Key::TogglePause,
            b'r' => Key::Refresh,
            b'q' => Key::State(IntentState::Stopped),
            _ => continue,
        };
        if sender.blocking_send(key).is_err() {
            return;
        }
    }
}
