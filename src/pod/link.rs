//! The line between a pod's publisher and its recorder: a Unix socket, JSON a line. The publisher
//! listens and tells the intent; the recorder answers when its journal has it.
//!
//! The recorder's end may be in the hands of a page that broke out of its browser: what it says
//! can only make the publisher believe that an intent was taken, or that a recorder lives.

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::recorder::control::Control;
use crate::session::folder::SessionDir;
use crate::session::intent::Intent;

/// The longest line, in bytes.
const LINE: u64 = 16 << 10;
/// The other end takes a line within this time, or it hangs.
const WRITE: Duration = Duration::from_secs(5);
/// Intents that may wait for their answers.
const PENDING: usize = 64;
/// Pauses between two tries to connect.
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LONGEST_RETRY: Duration = Duration::from_secs(1);

/// What the publisher says.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    id: u64,
    intent: Intent,
}

/// What the recorder answers.
#[derive(Debug, Serialize, Deserialize)]
struct Journaled {
    journaled: u64,
}

/// The publisher's end.
#[derive(Debug, Clone)]
pub(super) struct Link {
    tell: mpsc::Sender<Telling>,
    connected: watch::Receiver<bool>,
}

#[derive(Debug)]
struct Telling {
    intent: Intent,
    journaled: oneshot::Sender<()>,
}

impl Link {
    /// Listens at `path`; what an older publisher of this pod left there is removed. Each recorder
    /// that connects is told first what `session` keeps.
    pub(super) fn listen(path: &Path, session: Arc<SessionDir>) -> io::Result<Link> {
        match std::fs::symlink_metadata(path) {
            Ok(meta) if meta.file_type().is_socket() => std::fs::remove_file(path)?,
            Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(path)?;
        let (tell, tellings) = mpsc::channel(PENDING);
        let (state, connected) = watch::channel(false);
        tokio::spawn(serve(listener, session, tellings, state));
        Ok(Link { tell, connected })
    }

    /// Tells the recorder, and waits at most `deadline` until it has journaled that. False: there
    /// is none, or it did not answer in time.
    pub(super) async fn tell(&self, intent: Intent, deadline: Duration) -> bool {
        if !*self.connected.borrow() {
            return false;
        }
        let (journaled, answer) = oneshot::channel();
        let told = async {
            self.tell.send(Telling { intent, journaled }).await.ok()?;
            answer.await.ok()
        };
        matches!(timeout(deadline, told).await, Ok(Some(())))
    }

    /// Whether a recorder lives, and when that changes.
    pub(super) fn connected(&self) -> watch::Receiver<bool> {
        self.connected.clone()
    }
}

/// One recorder at a time: a new one takes the place of another, which is gone or soon will be.
async fn serve(
    listener: UnixListener,
    session: Arc<SessionDir>,
    mut tellings: mpsc::Receiver<Telling>,
    state: watch::Sender<bool>,
) {
    let mut next = None;
    loop {
        let stream = match next.take() {
            Some(stream) => stream,
            None => accepted(&listener).await,
        };
        // Whatever waited for the one before is told below, as it is kept.
        while tellings.try_recv().is_ok() {}
        state.send_replace(true);
        tracing::info!("a recorder is connected");
        tokio::select! {
            error = converse(stream, &session, &mut tellings) => tracing::info!(%error, "the recorder is gone"),
            stream = accepted(&listener) => next = Some(stream),
        }
        if next.is_none() {
            state.send_replace(false);
        }
    }
}

async fn accepted(listener: &UnixListener) -> UnixStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a recorder");
                tokio::time::sleep(LONGEST_RETRY).await;
            }
        }
    }
}

/// Tells and takes answers until the connection ends.
async fn converse(stream: UnixStream, session: &SessionDir, tellings: &mut mpsc::Receiver<Telling>) -> io::Error {
    let (reader, mut writer) = stream.into_split();
    let mut lines = read_lines::<Journaled>(reader);
    let mut pending: VecDeque<(u64, oneshot::Sender<()>)> = VecDeque::new();
    let mut id = 0;
    match session.told() {
        Ok(Some(told)) => {
            if let Err(error) = write_line(&mut writer, &Told { id, intent: told.intent }).await {
                return error;
            }
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "cannot read what was told"),
    }
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(Ok(Journaled { journaled })) => {
                    if let Some(place) = pending.iter().position(|(id, _)| *id == journaled)
                        && let Some((_, answer)) = pending.remove(place)
                    {
                        // Whoever asked may have given up.
                        let _ = answer.send(());
                    }
                }
                Some(Err(error)) => return error,
                None => return io::ErrorKind::UnexpectedEof.into(),
            },
            Some(Telling { intent, journaled }) = tellings.recv() => {
                id += 1;
                if pending.len() == PENDING {
                    pending.pop_front();
                }
                pending.push_back((id, journaled));
                if let Err(error) = write_line(&mut writer, &Told { id, intent }).await {
                    return error;
                }
            }
        }
    }
}

/// The recorder's end: stays connected for as long as it is polled, and hands on what is told.
pub(super) async fn follow(path: PathBuf, orders: mpsc::Sender<Control>) {
    let mut retry = FIRST_RETRY;
    loop {
        match UnixStream::connect(&path).await {
            Ok(stream) => {
                retry = FIRST_RETRY;
                let error = obey(stream, &orders).await;
                tracing::info!(%error, "the publisher is gone");
            }
            Err(error) => tracing::debug!(%error, "no publisher yet"),
        }
        tokio::time::sleep(retry).await;
        retry = (retry * 2).min(LONGEST_RETRY);
    }
}

async fn obey(stream: UnixStream, orders: &mpsc::Sender<Control>) -> io::Error {
    let (reader, mut writer) = stream.into_split();
    let mut lines = read_lines::<Told>(reader);
    loop {
        let Told { id, intent } = match lines.recv().await {
            Some(Ok(told)) => told,
            Some(Err(error)) => return error,
            None => return io::ErrorKind::UnexpectedEof.into(),
        };
        let (journaled, answer) = oneshot::channel();
        if orders.send(Control::Told { intent, journaled: Some(journaled) }).await.is_err() {
            return io::ErrorKind::BrokenPipe.into();
        }
        // Without an answer the recorder is at its end.
        if answer.await.is_ok()
            && let Err(error) = write_line(&mut writer, &Journaled { journaled: id }).await
        {
            return error;
        }
    }
}

/// Lines as they come. A task reads them, for a half-read line must not be lost in a `select!`.
fn read_lines<T: DeserializeOwned + Send + 'static>(
    reader: impl tokio::io::AsyncRead + Unpin + Send + 'static,
) -> mpsc::Receiver<io::Result<T>> {
    let (sender, lines) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut reader = BufReader::new(reader);
        loop {
            let mut line = Vec::new();
            let mut bounded = (&mut reader).take(LINE);
            let read = tokio::select! {
                read = bounded.read_until(b'\n', &mut line) => read,
                () = sender.closed() => return,
            };
            let value = match read {
                Ok(_) if line.is_empty() => return,
                Ok(_) => serde_json::from_slice(&line).map_err(io::Error::from),
                Err(error) => Err(error),
            };
            let bad = value.is_err();
            if sender.send(value).await.is_err() || bad {
                return;
            }
        }
    });
    lines
}

async fn write_line(writer: &mut OwnedWriteHalf, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    timeout(WRITE, writer.write_all(&line)).await?
}
