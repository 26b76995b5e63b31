//! As much of HTTP/2 as these trials need, by hand (RFC 9113, RFC 7541).

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::support::PATIENCE;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM_AND_HEADERS: u8 = 5;

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short frame");
    [&[0, 0, length, kind, flags, 0, 0, 0, stream][..], payload].concat()
}

/// Asks for `/` of this host by `https`, and gives the first bytes of the answer's block of fields:
/// they say its status.
pub(crate) async fn ask(
    io: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin),
    host: &str,
) -> Vec<u8> {
    let length = u8::try_from(host.len()).expect("a short host");
    // GET, https, `/`, and an authority that is written out.
    let block = [&[0x82, 0x87, 0x84, 0x01, length][..], host.as_bytes()].concat();
    let request = frame(HEADERS, END_STREAM_AND_HEADERS, 1, &block);
    let bytes = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &request].concat();
    io.write_all(&bytes).await.expect("it is open");
    io.flush().await.expect("it is open");
    let reading = async {
        loop {
            let mut head = [0; 9];
            io.read_exact(&mut head).await.expect("a frame");
            let length = usize::from(head[1]) << 8 | usize::from(head[2]);
            let mut payload = vec![0; length];
            io.read_exact(&mut payload).await.expect("a frame's payload");
            if head[3] == HEADERS {
                return payload;
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("an answer")
}

/// Whether a block of fields begins with this status.
pub(crate) fn is_status(block: &[u8], status: u16) -> bool {
    match status {
        200 => block.first() == Some(&0x88),
        // Name 8 of the static table, and the digits in Huffman's code.
        421 => block.windows(3).next().is_some_and(|start| start == [0x48, 0x82, 0x68]),
        other => panic!("nobody has written down how {other} begins"),
    }
}
