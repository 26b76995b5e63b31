//! The engine itself on trial: before a gateway that passes bytes through and keeps nothing.

mod stages;

use std::path::Path;

use forebay_trial::engine::{self, Ending};
use forebay_trial::{Failure, script};
use stages::PassThrough;

fn told(text: &str) -> Result<Ending, Failure> {
    let story = script::parse(Path::new("x.script"), &format!("# Title.\n{text}"))?;
    let mut still = tokio::runtime::Builder::new_current_thread();
    let runtime = still.enable_all().start_paused(true).build()?;
    runtime.block_on(async { engine::tell(&story, &mut PassThrough::new()).await })
}

#[track_caller]
fn holds(text: &str) {
    assert_eq!(told(text), Ok(Ending::Whole), "{text}");
}

#[track_caller]
fn fails(text: &str, because: &str) {
    let failure = told(text).expect_err(text).to_string();
    assert!(failure.contains(because), "`{failure}` does not say `{because}`");
}

const ASKED: &str = "client asks GET /a\norigin hears GET /a\n";

#[test]
fn a_request_and_its_answer_go_through() {
    holds(
        "client asks POST /a?b=c\n  X-One: 1\n  | hello\n\
         origin hears POST /a?b=c\n  X-One: 1\n  X-Two: absent\n  Host: www.example.com\n  | hello\n\
         origin answers 200\n  ETag: \"one\"\n  | hello\n  | you\n\
         client gets 200\n  ETag: \"one\"\n  ETag: contains one\n  Content-Length: about 9\n  \
         Date: = {now}\n  | hello\n  | you\n  body contains you\n  body lacks me\n",
    );
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    holds(&format!(
        "{ASKED}origin answers 200\nclient gets 200\n  no body\n{ASKED}origin answers 404\n\
         client gets 4xx"
    ));
}

#[test]
fn interim_answers_come_before_the_final_one() {
    holds(&format!(
        "{ASKED}origin answers 103\n  Link: </a.css>\nclient gets 103\n  Link: present\n\
         client gets nothing yet\norigin answers 200\nclient gets 200"
    ));
    fails(&format!("{ASKED}origin answers 103\nclient gets 200"), "the status is 103");
}

#[test]
fn chunks_and_trailers_are_read() {
    holds(&format!(
        "{ASKED}origin answers 200 in chunks\n  | one\n  \"two\"\n  trailer X-Sum: 7\n\
         client gets 200\n  | one\n  \"two\"\n  trailer X-Sum: 7"
    ));
}

#[test]
fn a_body_arrives_in_parts() {
    holds(&format!(
        "{ASKED}origin begins 200\n  | one\nclient begins to get 200\n  | one\n\
         origin goes on\n  | two\norigin ends\n  | three\nclient gets the rest\n  | two\n  | three"
    ));
}

#[test]
fn a_cut_body_is_told_from_a_whole_one() {
    let cut = "origin begins 200\n  Content-Length: 1000\n  body 100 bytes\norigin closes\n";
    holds(&format!("{ASKED}{cut}client gets 200 cut short"));
    fails(&format!("{ASKED}{cut}client gets 200"), "the body was cut short");
    holds(&format!(
        "{ASKED}origin answers 200 until close\n  | x\nclient gets 200 and close\n  | x"
    ));
}

#[test]
fn raw_bytes_go_both_ways() {
    holds(
        "client sends\n  \"GET /\\x61 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n\"\norigin hears GET /a\n  \
         Host: x\norigin sends\n  \"HTTP/1.1 200 OK\\r\\nContent-Length: 1\\r\\n\\r\\n!\"\n\
         client gets 200\n  \"!\"",
    );
}

#[test]
fn a_head_request_gets_a_length_and_no_body() {
    holds(
        "client asks HEAD /a\norigin hears HEAD /a\norigin answers 200\n  | hello\n\
         client gets 200\n  Content-Length: 6\n  no body",
    );
}

#[test]
fn an_origin_that_is_down_refuses() {
    holds(&format!(
        "origin is down\nclient asks GET /a\nclient gets 502 and close\norigin is up\n\
         {ASKED}origin answers 200\nclient gets 200"
    ));
}

#[test]
fn many_clients_ask_at_once() {
    holds(
        "origin always answers 200\n  | hi\n40 clients ask GET /\nall clients get 200\n  | hi\n\
         origin has heard 40 requests",
    );
    fails("origin always answers 200\nclient asks GET /\norigin has heard 2 requests", "heard 1");
}

#[test]
fn named_clients_do_not_wait_for_each_other() {
    holds(
        "client A asks GET /a\nclient B asks GET /b\norigin hears GET /b\norigin hears GET /a\n\
         origin answers /b with 201\nclient B gets 201\nclient A gets nothing yet\n\
         origin answers 202\nclient A gets 202",
    );
}

#[test]
fn time_passes_at_no_cost() {
    let begun = std::time::Instant::now();
    holds(
        "3650 d pass\nclient asks GET /\norigin hears GET /\norigin answers 200\nclient gets 200",
    );
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
}

#[test]
fn what_is_not_told_is_a_failure() {
    fails("client asks GET /b", "at its end: the origin was asked more than was told");
    fails(&format!("client asks GET /b\n{ASKED}"), "the origin was asked more");
    fails("client asks GET /b\norigin hears GET /a", "x.script:3: origin hears GET /a: the origin");
    fails(&format!("{ASKED}client gets 200"), "no answer within");
}

#[test]
fn a_failure_shows_what_came() {
    let answered = format!("{ASKED}origin answers 200\n  Age: 4\n  X-A: a\n  | hello\n");
    for (line, because) in [
        ("Age: absent", "Age is `4`, not absent"),
        ("Age: >= 5", "Age is `4`, not >= 5"),
        ("Age: <= 3", "Age is `4`, not <= 3"),
        ("Age: about 7", "Age is `4`, not about 7"),
        ("X-A: b", "X-A is `a`, not `b`"),
        ("X-A: lacks a", "X-A is `a`, not without `a` in it"),
        ("X-B: present", "there is no X-B"),
        ("| hullo", "the body has 6 bytes `hello\\n`, not the 6 bytes `hullo\\n`"),
        ("X-A: says hit", "X-A is `a`, not saying `hit`"),
    ] {
        fails(&format!("{answered}client gets 200\n  {line}"), because);
    }
}

#[test]
fn cache_status_is_read_by_parameters_of_the_last_member() {
    let answered = format!(
        "{ASKED}origin answers 200\n  Cache-Status: Far; hit, forebay; fwd=stale; detail=\"a;b\"\n"
    );
    let line = "Cache-Status: says fwd=stale; not hit; detail=\"a;b\"";
    holds(&format!("{answered}client gets 200\n  {line}"));
    fails(&format!("{answered}client gets 200\n  Cache-Status: says hit"), "saying `hit`");
}
