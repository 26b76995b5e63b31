//! Scripts that the server runs as one step. Their text is fixed; what varies is an argument.

use std::sync::OnceLock;

use ::redis::Cmd;

/// A fixed text in Lua. The server keeps it, and is sent its digest only.
#[derive(Debug)]
pub struct Script {
    text: &'static str,
    digest: OnceLock<String>,
}

impl Script {
    /// A script of this text.
    pub const fn new(text: &'static str) -> Self {
        Self { text, digest: OnceLock::new() }
    }

    /// The call by digest.
    pub(super) fn by_digest(&self, keys: &[&[u8]], arguments: &[&[u8]]) -> Cmd {
        let digest =
            self.digest.get_or_init(|| ::redis::Script::new(self.text).get_hash().to_owned());
        called("EVALSHA", digest, keys, arguments)
    }

    /// The call with the text, after which the server knows it.
    pub(super) fn in_full(&self, keys: &[&[u8]], arguments: &[&[u8]]) -> Cmd {
        called("EVAL", self.text, keys, arguments)
    }
}

fn called(verb: &str, script: &str, keys: &[&[u8]], arguments: &[&[u8]]) -> Cmd {
    let mut command = ::redis::cmd(verb);
    command.arg(script).arg(keys.len());
    keys.iter().chain(arguments).for_each(|bytes| {
        command.arg(*bytes);
    });
    command
}
