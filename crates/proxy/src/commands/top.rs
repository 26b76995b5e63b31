//! `forebay top`: a node's status, live in a terminal; once, as text or JSON, anywhere else.
//!
//! `figures` keeps what was heard and says how fast it grows, `tables` makes rows of it, `draw` puts
//! them on a screen: all three do no I/O. `screen` has the terminal.

mod draw;
mod figures;
mod plain;
mod screen;
mod tables;
mod words;

use std::io::{IsTerminal, Write, stderr, stdout};
use std::process::ExitCode;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use self::draw::{Palette, Shown};
use self::figures::Figures;
use self::screen::{Screen, Told};
use crate::cli::TopArgs;
use crate::commands::admin_client::{AdminClient, ClientFailure};
use crate::commands::runtime::runtime;
use crate::status::Status;

/// Shows it.
pub fn run(args: &TopArgs) -> ExitCode {
    let shown = runtime(Some(1))
        .map_err(|cause| format!("cannot start the runtime: {cause}"))
        .and_then(|runtime| {
            let shown = runtime.block_on(show(args));
            // Who reads keys, or a name that is still being looked up, does not hold up the end.
            runtime.shutdown_background();
            shown
        });
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = stderr().write_all(format!("forebay top: {message}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

async fn show(args: &TopArgs) -> Result<(), String> {
    let client = AdminClient::of(&args.admin).map_err(|failure| failure.to_string())?;
    // Asked before the screen is taken: that it cannot be reached is then said where it is read.
    let first = heard(&client).await.map_err(|failure| failure.to_string())?;
    if args.json {
        print(&format!("{first}\n"));
        return Ok(());
    }
    let first = status(first)?;
    match args.once || !stdout().is_terminal() {
        true => {
            print(&plain::text(&first));
            Ok(())
        }
        false => watch(client, args.every, first).await,
    }
}

/// Shows what the node says until a key or a signal ends it.
async fn watch(client: AdminClient, every: Duration, first: Status) -> Result<(), String> {
    let palette = match std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty()) {
        true => Palette::Plain,
        false => Palette::Coloured,
    };
    let mut shown = Shown::new(Figures::of(first), palette);
    let failed = |cause: std::io::Error| format!("cannot draw on the terminal: {cause}");
    let mut ends = Ends::heard().map_err(failed)?;
    let mut screen = Screen::open().map_err(failed)?;
    let mut answers = ask_again(client, every);
    loop {
        screen.draw(&mut shown).map_err(failed)?;
        tokio::select! {
            told = screen.told() => match told {
                Told::Key(key) if shown.press(key) == draw::After::End => return Ok(()),
                Told::Key(_) | Told::Resized => {}
                Told::Gone => return Ok(()),
            },
            answer = answers.recv() => match answer {
                Some(answer) => shown.hear(answer),
                None => return Ok(()),
            },
            () = ends.told() => return Ok(()),
        }
    }
}

/// Asks at this pace, behind; an answer that nobody has taken holds up the next question.
fn ask_again(client: AdminClient, every: Duration) -> mpsc::Receiver<Result<Status, String>> {
    let (answers, taken) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let next = Instant::now() + every;
            sleep_until(next).await;
            let answer = heard(&client).await.map_err(|failure| failure.to_string());
            if answers.send(answer.and_then(status)).await.is_err() {
                return;
            }
        }
    });
    taken
}

async fn heard(client: &AdminClient) -> Result<Value, ClientFailure> {
    let answered = client.ask(Method::GET, "/status", None).await?;
    match answered.status {
        StatusCode::NOT_FOUND => Err(ClientFailure::Refused {
            status: answered.status,
            words: "this node does not say how it is; is it an older version?".to_owned(),
        }),
        _ => Ok(answered.value),
    }
}

fn status(value: Value) -> Result<Status, String> {
    serde_json::from_value(value)
        .map_err(|_| "the node's answer is not that of a status".to_owned())
}

/// The signals that end it. Ctrl-C is a key while the screen is ours.
struct Ends {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Ends {
    fn heard() -> std::io::Result<Self> {
        Ok(Ends {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn told(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

/// Who has closed the other end does not want to read it.
fn print(text: &str) {
    let _ = stdout().write_all(text.as_bytes());
}
