//! An origin for pages: it answers every GET with something that may be kept for a minute.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

/// Serves on a port of every address until the process ends.
pub(crate) fn serve(port: u16) {
    let listener = TcpListener::bind(("0.0.0.0", port)).unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || answer_all(connection));
        }
    });
}

fn answer_all(connection: TcpStream) -> std::io::Result<()> {
    let mut reading = BufReader::new(connection.try_clone()?);
    let mut writing = connection;
    loop {
        let (mut line, mut body_bytes) = (String::new(), 0);
        if reading.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
        let has_body = !line.starts_with("HEAD ");
        while !line.trim().is_empty() {
            line.clear();
            reading.read_line(&mut line)?;
            if let Some(length) = line.to_lowercase().strip_prefix("content-length:") {
                body_bytes = length.trim().parse().unwrap_or(0);
            }
        }
        std::io::copy(&mut std::io::Read::take(&mut reading, body_bytes), &mut std::io::sink())?;
        let body = format!("<p>this is {path}</p>\n");
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\
             Cache-Control: max-age=60\r\nETag: \"1\"\r\nSurrogate-Key: sale shoes\r\n\r\n",
            body.len()
        );
        writing.write_all(head.as_bytes())?;
        if has_body {
            writing.write_all(body.as_bytes())?;
        }
    }
}
