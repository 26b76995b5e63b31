//! `cargo xtask conformance`: suites that others wrote, against the built program.
//!
//! - http-cache-tests: what RFC 9111 asks of a cache, with the safe defaults and again with the
//!   policies that the suite expects;
//! - httpwg: HTTP/2 toward clients;
//! - kosoku: WebSocket through the gateway, held against the same run without it;
//! - aioquic, a client that is not ours: HTTP/3, where the program is built with it.
//!
//! A failure is only accepted where `xtask/conformance/exceptions.toml` lists it with a reason,
//! and a reason only while it is needed: an entry whose case passes fails the run.

mod cache_tests;
mod exceptions;
mod gateway;
mod http2;
mod http3;
mod judge;
mod websocket;

use std::path::Path;

use crate::outcome::{Outcome, Trying, fail};
use crate::program;
use crate::summary::Summary;

use exceptions::Exceptions;
use gateway::{Origin, Policies};

/// Runs what the options ask for.
pub(crate) fn run(options: &[&str]) -> Outcome {
    match options {
        [] => {
            let mut summary = Summary::default();
            let program = program::release()?;
            steps(&mut summary, &program);
            summary.finish()
        }
        ["--peer", "nginx"] => try_nginx(),
        ["--only", id] => try_one(id),
        ["http3"] => run_http3(),
        ["--url", url, "--origin", port] => {
            let port = port.parse().trying(format!("take `{port}` as a port"))?;
            let _origin = Origin::cache_tests_on(port)?;
            let cases = cache_tests::run(url, None)?;
            println!("{}", cache_tests::report(&cases));
            Ok(())
        }
        unknown => fail(format!(
            "no option `{}` of conformance; there are http3, --only ID, --peer nginx, --url URL --origin PORT",
            unknown.join(" ")
        )),
    }
}

/// All suites against this program, one step each.
pub(crate) fn steps(summary: &mut Summary, program: &Path) {
    summary.step("http-cache-tests, safe defaults", || cached(program, Policies::Safe));
    summary.step("http-cache-tests, obeying clients", || cached(program, Policies::Obeying));
    summary.step("httpwg (HTTP/2)", || http2::run(program, &Exceptions::read()?.http2));
    summary.step("kosoku (WebSocket)", || websocket::run(program, &Exceptions::read()?.websocket));
}

fn cached(program: &Path, policies: Policies) -> Outcome<String> {
    let exceptions = Exceptions::read()?;
    let origin = Origin::cache_tests()?;
    let gateway = gateway::forebay(program, &origin, policies)?;
    let cases = cache_tests::run(&gateway.url(), None)?;
    println!("{}", cache_tests::report(&cases));
    cache_tests::judge(&cases, &exceptions.cache_tests(policies))
}

/// aioquic against the program with HTTP/3.
pub(crate) fn http3(program: &Path) -> Outcome<String> {
    http3::run(program)
}

fn run_http3() -> Outcome {
    let note = http3::run(&program::with_http3()?)?;
    println!("{note}");
    Ok(())
}

/// nginx's result is known: the suite's own page has it, so a harness that lies is seen here.
fn try_nginx() -> Outcome {
    let origin = Origin::cache_tests()?;
    let gateway = gateway::nginx(&origin)?;
    let cases = cache_tests::run(&gateway.url(), None)?;
    println!("{}", cache_tests::report(&cases));
    drop(gateway);
    let origin = Origin::echo()?;
    let gateway = gateway::nginx(&origin)?;
    let (direct, proxied) = websocket::both(&origin, &gateway)?;
    println!("kosoku: {} cases passed direct, {} through nginx", direct.passed(), proxied.passed());
    Ok(())
}

fn try_one(id: &str) -> Outcome {
    let program = program::release()?;
    let origin = Origin::cache_tests()?;
    for policies in [Policies::Safe, Policies::Obeying] {
        let gateway = gateway::forebay(&program, &origin, policies)?;
        let cases = cache_tests::run(&gateway.url(), Some(id))?;
        println!("{policies:?}: {}", cache_tests::report(&cases));
    }
    Ok(())
}
