//! Serves a fixed answer.
use bytes::Bytes;
use forebay::answer::{Answer, AnswerBody};
use forebay::config::{Limits, Listen};
use forebay::server::{Request, Server, Service};
use std::future::Future;
#[derive(Clone)]
struct Fixed(Bytes, Bytes);
impl Service for Fixed {
    fn answer(&self, _request: Request) -> impl Future<Output = Answer> + Send {
        std::future::ready(Answer {
            status: http::StatusCode::OK,
            prepared: [self.1.clone(), Bytes::new()],
            fields: http::HeaderMap::new(),
            body: AnswerBody::Whole(self.0.clone()),
            tunnel: None,
        })
    }
}
fn main() {
    let size: usize = std::env::args().nth(1).map_or(1024, |size| size.parse().unwrap());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async move {
        let listen = [Listen::Tcp("127.0.0.1:18080".parse().unwrap())];
        let server = Server::bind(&listen, &Limits::default()).unwrap();
        let head = Bytes::from_static(b"content-type: text/plain\r\netag: \"abc\"\r\ncache-control: max-age=60\r\nage: 3\r\nvia: 1.1 forebay\r\ncache-status: forebay; hit; ttl=57\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
        server.serve(Fixed(Bytes::from(vec![b'x'; size]), head), std::future::pending()).await;
    });
}
