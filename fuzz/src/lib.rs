//! What must not panic, whatever bytes come.
//!
//! A target is a plain function from bytes. Two drivers run it: `mutate`, on stable Rust and in CI,
//! and libFuzzer, on nightly, which sees coverage. To add one: a module below `targets`, a line in
//! [`TARGETS`], a folder with at least one file in `corpus`.

mod head;
pub mod mutation;
pub mod targets;

/// A function that gets bytes from outside, and what helps to reach its depths.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in `corpus`.
    pub name: &'static str,
    /// The function. It panics when it finds a broken promise.
    pub run: fn(&[u8]),
    /// Words that are more likely than chance to mean something.
    pub words: &'static [&'static [u8]],
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "cache", run: targets::cache::run, words: targets::cache::WORDS },
    Target { name: "config", run: targets::config::run, words: targets::config::WORDS },
    Target { name: "date", run: targets::date::run, words: targets::date::WORDS },
    Target { name: "disk", run: targets::disk::run, words: targets::disk::WORDS },
    Target { name: "fields", run: targets::fields::run, words: targets::fields::WORDS },
    Target { name: "http1", run: targets::http1::run, words: targets::http1::WORDS },
    Target { name: "http3", run: targets::http3::run, words: targets::http3::WORDS },
    Target { name: "index", run: targets::index::run, words: targets::index::WORDS },
    Target { name: "kept", run: targets::kept::run, words: targets::kept::WORDS },
    Target { name: "keys", run: targets::keys::run, words: targets::keys::WORDS },
    Target {
        name: "proxy_protocol",
        run: targets::proxy_protocol::run,
        words: targets::proxy_protocol::WORDS,
    },
    Target { name: "purges", run: targets::purges::run, words: targets::purges::WORDS },
    Target { name: "ranges", run: targets::ranges::run, words: targets::ranges::WORDS },
    Target { name: "record", run: targets::record::run, words: targets::record::WORDS },
    Target { name: "response", run: targets::response::run, words: targets::response::WORDS },
    Target { name: "routes", run: targets::routes::run, words: targets::routes::WORDS },
    Target { name: "rules", run: targets::rules::run, words: targets::rules::WORDS },
    Target { name: "sections", run: targets::sections::run, words: targets::sections::WORDS },
    Target { name: "stored", run: targets::stored::run, words: targets::stored::WORDS },
    Target { name: "variants", run: targets::variants::run, words: targets::variants::WORDS },
];
