//! One connection: which version it speaks, and on what terms it is served.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::BytesMut;

use super::h1::{self, Socket, Spoken};
use super::h2;
use super::link::Link;
use super::request::{Peer, Service};
use super::stats::{Held, ServerStats};
use super::terms::Terms;
use super::wire::{Plain, Wire};
use crate::answer::Duplex;
use crate::config::Limits;

/// Serves one connection until it ends, over whatever carries its bytes. No drain reaches it; its
/// counters are its own.
pub async fn serve_connection<S: Service>(
    io: impl Duplex + 'static,
    peer: Peer,
    limits: Limits,
    service: S,
) {
    let terms = Terms::new(limits, Arc::new(ServerStats::default()));
    serve(Plain(io), peer, terms, service).await;
}

/// Serves one connection of a server.
pub(super) async fn serve<IO: Wire + 'static, S: Service>(
    io: IO,
    peer: Peer,
    terms: Arc<Terms>,
    service: S,
) {
    serve_begun(io, peer, BytesMut::new(), terms, service).await;
}

/// The same where its first bytes were read already.
pub(super) async fn serve_begun<IO: Wire + 'static, S: Service>(
    io: IO,
    peer: Peer,
    read: BytesMut,
    terms: Arc<Terms>,
    service: S,
) {
    let link = Arc::new(Link::default());
    let _open = Held::new(&terms.stats.connections_open);
    let _listed = terms.drain.list(&link);
    let mut socket = Socket::new(io, peer, link, terms.clone());
    socket.input = read;
    match poll_fn(|cx| socket.poll_version(cx)).await {
        Spoken::Http1 => h1::serve(socket, service).await,
        Spoken::Http2 => Box::pin(h2::serve(socket, service)).await,
        Spoken::Nothing => {}
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use super::*;
    use crate::answer::Answer;
    use crate::server::{Request, Transport};

    #[derive(Clone)]
    struct Heavy;

    impl Service for Heavy {
        fn answer(&self, _: Request) -> impl Future<Output = Answer> + Send {
            let ballast = [0u8; 16 * 1024];
            async move {
                std::future::pending::<()>().await;
                unreachable!("{}", ballast.len())
            }
        }
    }

    #[tokio::test]
    async fn an_idle_connection_is_small_however_large_its_exchanges_are() {
        let (_, io) = tokio::io::duplex(1);
        let peer = Peer { address: None, local: None, transport: Transport::Plain };
        let connection = serve_connection(io, peer, Limits::default(), Heavy);
        let size = std::mem::size_of_val(&connection);
        assert!(size < 4096, "{size} bytes");
    }
}
