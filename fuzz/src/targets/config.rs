//! The configuration file.

use forebay::config::parse;

/// Keys and values of a configuration.
pub const WORDS: &[&[u8]] = &[
    b"[[route]]\n",
    b"[defaults]\n",
    b"[limits]\n",
    b"host = \"*.example.com\"\n",
    b"path = \"/\"\n",
    b"to = \"http://localhost:3000\"\n",
    b"listen = [\"127.0.0.1:8080\"]\n",
    b"memory = \"256MiB\"\n",
    b"= ",
    b"\"",
    b"60s",
    b"18446744073709551616",
    b"-1",
    b"{",
    b"[",
    b"\n",
];

/// It is a configuration, or a list of problems that can be shown in every form.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(problems) = parse("fuzz.toml", text) {
        assert!(!problems.list().is_empty());
        problems.plain();
        problems.json();
    }
}
