//! `panorec discard`: removes a session that nobody wants any more.

use super::cli::DiscardArgs;
use crate::complaint::Complaint;
use crate::egress::Resolver;
use crate::publisher::abort_uploads;
use crate::session::exit::ExitCode;
use crate::session::folder::SessionDir;

/// Removes it, and prints one line.
pub(super) async fn discard(args: &DiscardArgs) -> Result<ExitCode, Complaint> {
    let session = SessionDir::open(&args.dir)?;
    let shown = args.dir.display();
    if session.recorder_is_alive()? || session.publisher_is_alive()? {
        return Err(Complaint::usage(format!(
            "{shown}: this session is at work; end it first by `panorec ctl {shown} stop`"
        )));
    }
    let work = move || {
        let aborted = abort_uploads(&session, &Resolver::default());
        (session, aborted)
    };
    let (session, aborted) = tokio::task::spawn_blocking(work).await.map_err(Complaint::internal)?;
    let aborted = match aborted {
        Ok(aborted) => aborted,
        Err(error) if args.force => {
            eprintln!("{shown}: something may be left in the store: {error}");
            0
        }
        Err(error) => {
            let sentence = format!("{shown}: {error}; the session is kept, and --force removes it anyway");
            return Err(Complaint::new(ExitCode::DeliveryFailed, sentence));
        }
    };
    session.remove()?;
    match aborted {
        0 => println!("{shown}: removed"),
        1 => println!("{shown}: removed, and an upload that was not finished"),
        several => println!("{shown}: removed, and {several} uploads that were not finished"),
    }
    Ok(ExitCode::Done)
}
