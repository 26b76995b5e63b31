//! The configuration as a whole: what is understood, what is refused in which words.

mod accepted;
mod balancing;
mod dynamic;
mod example;
mod health;
mod http3;
mod refused;
mod refused_tiers;

use std::fmt::Write;

use proptest::prelude::*;

use super::*;

/// A route that is fine, for files that are about something else.
const ROUTE: &str = "\n[[route]]\nto = \"localhost:3000\"\n";

/// The problems of a file, one a line.
fn problems(text: &str) -> String {
    parse("f", text).expect_err(text).plain()
}

fn fine(text: &str) -> Config {
    parse("f", text).unwrap_or_else(|problems| panic!("{text}\n{problems}"))
}

/// A file out of likely pieces, so that most of it gets past the TOML parser.
fn likely_file() -> impl Strategy<Value = String> {
    let keys = prop_oneof![
        Just("listen"),
        Just("admin"),
        Just("memory"),
        Just("workers"),
        Just("route"),
        Just("defaults"),
        Just("limits"),
        Just("[route]"),
        Just("[[route]]"),
        Just("to"),
        Just("host"),
        Just("path"),
        Just("key"),
        Just("skip"),
        Just("lifetimes"),
        Just("stale"),
        Just("methods"),
        Just("upstream"),
        Just("upstream.ejection"),
        Just("failures"),
        Just("url"),
        Just("request_fields"),
        Just("early_refresh"),
        Just("[defaults]"),
        Just("[limits]"),
        Just("fields_max"),
        Just("[[[")
    ];
    let values = prop_oneof![
        Just("\"a:1\"".to_owned()),
        Just("1".to_owned()),
        Just("-1".to_owned()),
        Just("nan".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("[[1], {}]".to_owned()),
        Just("true".to_owned()),
        Just("1979-05-27".to_owned()),
        Just("0xffffffffffffffff".to_owned()),
        Just("{ field = 1, set = { a = 1 } }".to_owned()),
        Just("[{ url = \"a:1\", weight = 0 }, { weight = 1 }]".to_owned()),
        Just("{ 2xx = \"1s\", äxx = 2 }".to_owned()),
        "\"\\PC{0,8}\"",
        "\\PC{0,8}"
    ];
    prop::collection::vec((keys, values), 0..12).prop_map(|pairs| {
        pairs.into_iter().fold(String::new(), |mut text, (key, value)| {
            let line =
                if key.starts_with('[') { key.to_owned() } else { format!("{key} = {value}") };
            writeln!(text, "{line}").unwrap();
            text
        })
    })
}

fn show_all(text: &str) {
    if let Err(problems) = parse("f", text) {
        assert!(!problems.list().is_empty());
        let _ = (problems.human(Colours::Off), problems.plain(), problems.json());
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        show_all(&text);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        show_all(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_likely_file_panics(text in likely_file()) {
        show_all(&text);
    }
}
