//! Every script: can be read, holds in the simulator, and over real sockets where the program is
//! built.

use forebay_trial::{process, simulated, suite};

#[test]
fn every_script_can_be_read() {
    let scripts = suite::read(&suite::folder()).unwrap_or_else(|failures| {
        let shown: Vec<String> = failures.iter().map(ToString::to_string).collect();
        panic!("{}", shown.join("\n"));
    });
    assert!(scripts.len() > 50, "only {} scripts were found", scripts.len());
}

#[test]
fn every_script_holds_in_the_simulator() {
    let scripts = suite::read(&suite::folder()).expect("the other test says what is wrong");
    let outcome = simulated::tell_all(scripts);
    println!("{}", outcome.report());
    assert!(outcome.failures.is_empty(), "{}", outcome.report());
}

#[tokio::test]
async fn every_script_holds_over_real_sockets() {
    let Some(program) = process::built() else {
        println!(
            "NOT RUN: FOREBAY_BIN does not name the program; build it with `cargo build -p forebay` \
             and set FOREBAY_BIN=target/debug/forebay, or run `cargo xtask test`"
        );
        return;
    };
    let scripts = suite::read(&suite::folder()).expect("the other test says what is wrong");
    let outcome = suite::tell_real(&program, scripts).await;
    println!("{}", outcome.report());
    assert!(outcome.failures.is_empty(), "{}", outcome.report());
}
