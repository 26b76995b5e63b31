//! One connection: which version it speaks, and the loop that serves it.

use super::request::{Peer, Service};
use crate::answer::Duplex;
use crate::config::Limits;

/// Serves one connection until it ends, over whatever carries its bytes.
pub async fn serve_connection<S: Service>(
    _io: impl Duplex + 'static,
    _peer: Peer,
    _limits: Limits,
    _service: S,
) {
    unimplemented!()
}
