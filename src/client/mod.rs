//! A client of the Action API: `panorec action` asks a gateway, and prints what it answers.
//! Called by cli; it knows the gateway's words and signatures, and no backend.
//! Never: keeps anything, or shows a secret.

mod answer;
mod args;
mod files;
mod gateway;
mod request;
mod start;
mod times;
mod wait;

pub use args::ActionArgs;

use std::io::Write;

use serde_json::json;

use crate::complaint::Complaint;
use crate::session::exit::ExitCode;
use answer::{Answer, Unanswered};
use args::{Action, TaskArgs};
use gateway::Gateway;
use request::Request;

/// Asks, and prints the answer.
pub(crate) async fn action(args: ActionArgs) -> Result<ExitCode, Complaint> {
    let gateway = Gateway::new(&args.gateway)?;
    let of = |name: &str, TaskArgs { task }: TaskArgs| Request::of(name, &json!({ "TaskID": task }));
    let request = match args.action {
        Action::Start(args) => return start(&gateway, &args).await,
        Action::Describe(args) => return describe(&gateway, args).await,
        Action::Pause(task) => of("Pause", task),
        Action::Resume(task) => of("Resume", task),
        Action::Refresh(task) => of("Refresh", task),
        Action::Stop(task) => of("Stop", task),
        Action::Detail(task) => of("DescribeDetail", task),
        Action::List(args) => Request::of("List", &args.data()),
        Action::Raw { json } => Request::raw(match json.as_str() {
            "-" => files::text("-".as_ref(), "the request")?,
            _ => json,
        }),
    };
    let answer = gateway.ask(&request).await?;
    print(&answer)?;
    Ok(ExitCode::Done)
}

async fn start(gateway: &Gateway, args: &start::StartArgs) -> Result<ExitCode, Complaint> {
    let (request, token) = args.request()?;
    let answer = gateway.ask(&request).await.map_err(|error| match error {
        // Whether it was begun is not known.
        Unanswered::Late { .. } => Complaint::internal(format!(
            "{error}. To try again without making a second recording, add --client-token {token}"
        )),
        error => error.into(),
    })?;
    print(&answer)?;
    Ok(ExitCode::Done)
}

async fn describe(gateway: &Gateway, args: args::DescribeArgs) -> Result<ExitCode, Complaint> {
    let request = Request::of("Describe", &json!({ "TaskID": args.task }));
    let Some(wanted) = args.wait else {
        print(&gateway.ask(&request).await?)?;
        return Ok(ExitCode::Done);
    };
    let (answer, described) = wait::until(gateway, &request, wanted, args.within).await?;
    print(&answer)?;
    wait::verdict(&described)
}

/// On stdout, as it came.
fn print(answer: &Answer) -> Result<(), Complaint> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", answer.text.trim_end()).and_then(|()| stdout.flush()).map_err(Complaint::internal)
}
