//! `forebay demo`: a small slow origin, a gateway before it, and what to try.

mod origin;

use std::process::ExitCode;

use tokio::net::TcpListener;

use crate::cli::DemoArgs;
use crate::commands::run::{serve, told_to_end};
use crate::commands::runtime::runtime;
use crate::config;

/// Runs the demo until Ctrl-C.
pub fn run(args: &DemoArgs) -> ExitCode {
    let ran = runtime(None)
        .map_err(|cause| format!("cannot start the runtime: {cause}"))
        .and_then(|runtime| runtime.block_on(demo(args)));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("forebay demo: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn demo(args: &DemoArgs) -> Result<(), String> {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.map_err(|cause| format!("cannot start the origin: {cause}"))?;
    let origin = listener.local_addr().map_err(|cause| cause.to_string())?;
    tokio::spawn(origin::serve(listener));
    let text = format!(
        "listen = [\"{}\"]\nadmin = \"off\"\nmemory = \"64MiB\"\n[[route]]\nname = \"demo\"\n\
         to = [\"http://{origin}\"]\nretry_pause = \"2s\"\nearly_refresh = 0\n",
        args.listen
    );
    let config = config::parse("demo", &text).map_err(|problems| problems.plain())?;
    let busy = |message| format!("{message}\nchoose another place with --listen 127.0.0.1:PORT");
    serve(config, told_to_end(), || print!("{}", what_to_try(args))).await.map_err(busy)?;
    println!("the demo is over");
    Ok(())
}

fn what_to_try(args: &DemoArgs) -> String {
    let at = format!("http://{}", args.listen);
    format!(
        "\n\
         A slow origin and a cache before it. Open {at}/ or try:\n\n  \
         # a miss that takes two seconds, then a hit that takes none\n  \
         curl -si {at}/slow/a; curl -si {at}/slow/a\n\n  \
         # after five seconds it is stale: the old answer at once, a refresh behind it\n  \
         sleep 6; curl -si {at}/slow/a; sleep 3; curl -si {at}/slow/a\n\n  \
         # fifty at once for what nobody has: the origin is asked once\n  \
         seq 50 | xargs -P 50 -I{{}} curl -s -o /dev/null -w '%{{http_code}} ' {at}/slow/b; \
         curl -s {at}/count\n\n\
         Ctrl-C ends both.\n"
    )
}
