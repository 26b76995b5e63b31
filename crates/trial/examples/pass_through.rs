//! The least gateway there is, as a program: passes bytes through and keeps nothing. The harness is
//! tried on it (`tests/real.rs`), since it must not be tried on what it tries.

use std::io;
use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let file = std::env::args().skip_while(|word| word != "--config").nth(1).unwrap_or_default();
    let text = std::fs::read_to_string(file)?;
    let listener = TcpListener::bind(address(&text, "listen = [\"")?).await?;
    let origin = address(&text, "to = [\"http://")?;
    eprintln!("passes through from {} to {origin}", listener.local_addr()?);
    loop {
        let (client, _) = listener.accept().await?;
        tokio::spawn(pass(client, origin));
    }
}

async fn pass(mut client: TcpStream, origin: SocketAddr) -> io::Result<()> {
    match TcpStream::connect(origin).await {
        Ok(mut origin) => tokio::io::copy_bidirectional(&mut client, &mut origin).await.map(|_| ()),
        Err(_) => client.write_all(b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n").await,
    }
}

fn address(text: &str, after: &str) -> io::Result<SocketAddr> {
    let found = text.split_once(after).and_then(|(_, rest)| rest.split_once('"'));
    let (address, _) = found.ok_or(io::ErrorKind::InvalidInput)?;
    address.parse().map_err(|_| io::ErrorKind::InvalidInput.into())
}
