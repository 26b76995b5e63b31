//! What connections carry beside plain exchanges: tunnels, interim responses, HTTP/2, TLS, Unix
//! sockets.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use forebay_trial::client::Client;
use forebay_trial::process::Process;
use forebay_trial::real::free_address;
use forebay_trial::wire::{BodyReader, Message, MessageReader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use crate::support::{
    PATIENCE, check, connect, head, program, request, said, stage, status, until, with_body,
};

const FRESH: &str = "Cache-Control: max-age=60";

const UPGRADE: &[&str] = &[
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

/// Accepts one connection, says yes to its upgrade, and echoes what follows.
async fn echo(listener: TcpListener, accept: &'static str) -> String {
    let (mut stream, _) = listener.accept().await.expect("the gateway connects");
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        asked.push(stream.read_u8().await.expect("a request comes"));
    }
    stream.write_all(accept.as_bytes()).await.expect("the gateway reads");
    let (mut from, mut to) = stream.split();
    let _ = tokio::io::copy(&mut from, &mut to).await;
    String::from_utf8(asked).expect("a request is text")
}

#[tokio::test]
async fn a_websocket_is_tunnelled_after_a_101() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let origin = listener.local_addr().unwrap();
    let switched =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let echoing = tokio::spawn(echo(listener, switched));
    let gateway = crate::support::gateway(origin, &[]).await;
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(request("GET", "/chat", UPGRADE).as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap().to_lowercase();
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    assert!(answer.contains("\r\nupgrade: websocket\r\n"), "{answer}");
    for said in ["hello", &"x".repeat(100_000)] {
        let (mut from, mut to) = stream.split();
        let mut heard = vec![0; said.len()];
        let (wrote, read) =
            tokio::join!(to.write_all(said.as_bytes()), from.read_exact(&mut heard));
        wrote.unwrap();
        read.unwrap();
        assert_eq!(heard, said.as_bytes());
    }
    drop(stream);
    let asked = tokio::time::timeout(PATIENCE, echoing).await.unwrap().unwrap().to_lowercase();
    assert!(asked.contains("\r\nupgrade: websocket\r\n"), "{asked}");
}

#[tokio::test]
async fn an_upgrade_that_the_origin_refuses_is_an_answer_like_any() {
    let stage = stage(&[], |_, out| async move { out.send(403, &[], "no").await }).await;
    let mut client = stage.client().await;
    let refused = client.ask(&request("GET", "/chat", UPGRADE), PATIENCE).await.unwrap();
    check(&refused, 403, &["fwd=bypass"], "no");
    // What the client sends behind it is a request again and no tunnel.
    check(&client.ask(&request("GET", "/x", &[]), PATIENCE).await.unwrap(), 403, &[], "no");
}

#[tokio::test]
async fn interim_responses_are_sent_on() {
    let stage = stage(&[], |_, out| async move {
        let hint = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
        out.write(hint).await.send(200, &[FRESH], "page").await
    })
    .await;
    let mut client = stage.client().await;
    client.send(request("GET", "/a", &[]).as_bytes(), PATIENCE).await;
    let hint = client.begin(PATIENCE).await.unwrap();
    let said = (hint.status(), hint.field("link"));
    assert_eq!(said, (Ok(103), Some("</a.css>; rel=preload".into())));
    check(&client.response(PATIENCE).await.unwrap(), 200, &["stored"], "page");
}

/// Runs curl; its output, or nothing where there is no curl.
async fn curl(arguments: &[&str]) -> Option<String> {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "15"]).args(arguments).stdin(Stdio::null());
    let output = curl.kill_on_drop(true).output().await.ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl failed: {said}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn http2_with_prior_knowledge_is_spoken_to_clients() {
    let stage = stage(&[], |asked, out| async move {
        out.send(200, &[FRESH], [b"for ", asked.body.as_slice()].concat()).await
    })
    .await;
    let url = format!("http://{}/a", stage.gateway.address);
    let http2 = ["--http2-prior-knowledge", "-i", url.as_str()];
    for words in ["stored", "; hit"] {
        let Some(said) = curl(&http2).await else {
            return println!("NOT RUN: there is no curl on this machine");
        };
        assert!(said.starts_with("HTTP/2 200"), "{said}");
        assert!(said.contains(words) && said.ends_with("\r\n\r\nfor "), "{said}");
    }
    let posted = curl(&["--http2-prior-knowledge", "-d", "form", &url]).await;
    assert_eq!(posted.as_deref(), Some("for form"));
    assert_eq!(stage.metric("forebay_connections_h2_total").await, 3);
}

/// A file that is removed when this is dropped.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        File(std::env::temp_dir().join(format!("forebay-rows-{}-{name}", std::process::id())))
    }

    fn with(name: &str, text: &str) -> Self {
        let file = File::new(name);
        std::fs::write(&file.0, text).expect("the temporary folder can be written");
        file
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("our own name is text")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The program with this configuration, when it accepts at the address.
async fn run(configuration: &str, name: &str, address: SocketAddr) -> (Process, File) {
    let file = File::with(name, configuration);
    let process = Process::start(&program(), &["run", "--config", file.path()]).expect("it starts");
    until("the gateway accepts", || std::net::TcpStream::connect(address).is_ok()).await;
    (process, file)
}

/// Answers each request over this connection with its target.
async fn answer<S: tokio::io::AsyncRead + tokio::io::AsyncWrite>(stream: S) {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut reader = MessageReader::new(reader);
    while let Ok(Some(asked)) = reader.head().await {
        let framing = BodyReader::of_request(&asked).expect("the gateway frames well");
        let asked: Message = reader.rest(asked, framing).await.expect("it comes whole");
        let body = asked.head.target().to_owned();
        let length = format!("Content-Length: {}", body.len());
        let answer = head(200, &[FRESH, &length]) + &body;
        if writer.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn an_origin_behind_tls_is_trusted_by_its_own_authority_alone() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()).into();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            open.spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer(stream).await;
                }
            });
        }
    });
    let ca = File::with("ca.pem", &certified.cert.pem());
    for (name, trusts, expected) in [("trusting", true, 200), ("strange", false, 502)] {
        let address = free_address().unwrap();
        let mut text = format!(
            "listen = [\"{address}\"]\nadmin = \"off\"\n[[route]]\n\
             to = \"https://localhost:{port}\"\n"
        );
        if trusts {
            text += &format!("upstream = {{ ca_file = \"{}\" }}\n", ca.path());
        }
        let _running = run(&text, &format!("{name}.toml"), address).await;
        let mut client = connect(address).await;
        let answer = client.ask(&request("GET", "/tls", &[]), PATIENCE).await.unwrap();
        assert_eq!(status(&answer), expected, "{name}{}", answer.shown());
        let words = if trusts { "stored" } else { "detail=tls-failed" };
        assert!(said(&answer).contains(words), "{}", answer.shown());
    }
    serving.abort();
}

#[tokio::test]
async fn unix_sockets_serve_on_both_sides() {
    let (origin, listen) = (File::new("origin.sock"), File::new("listen.sock"));
    let listener = UnixListener::bind(&origin.0).unwrap();
    let serving = tokio::spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.spawn(answer(stream));
        }
    });
    let text = format!(
        "listen = [\"unix:{}\"]\nadmin = \"off\"\n[[route]]\nto = \"unix:{}\"\n",
        listen.path(),
        origin.path()
    );
    let file = File::with("unix.toml", &text);
    let mut process = Process::start(&program(), &["run", "--config", file.path()]).unwrap();
    let connects = || std::os::unix::net::UnixStream::connect(&listen.0).is_ok();
    until("the socket accepts", connects).await;
    for words in ["stored", "; hit"] {
        let stream = UnixStream::connect(&listen.0).await.unwrap();
        let mut client = Client::over(Box::new(stream));
        let answer = client.ask(&request("GET", "/unix", &[]), PATIENCE).await.unwrap();
        check(&answer, 200, &[words], "/unix");
    }
    process.terminate().await.unwrap();
    assert!(process.wait(PATIENCE).await.unwrap().success());
    assert!(!listen.0.exists(), "the socket's file is left behind");
    serving.abort();
}

#[tokio::test]
async fn a_body_on_a_hit_is_read_or_the_connection_closed() {
    let stage = stage(&[], |_, out| async move { out.send(200, &[FRESH], "hit").await }).await;
    check(&stage.get("/a", &[]).await, 200, &["stored"], "hit");
    let smuggled = request("GET", "/smuggled", &[]);
    let mut client = stage.client().await;
    let fat = with_body("GET", "/a", &[], &smuggled);
    check(&client.ask(&fat, PATIENCE).await.unwrap(), 200, &["; hit"], "hit");
    if client.is_usable().await {
        check(&client.ask(&request("GET", "/a", &[]), PATIENCE).await.unwrap(), 200, &[], "hit");
    }
    assert!(stage.origin.heard().iter().all(|heard| heard.head.target() != "/smuggled"));
}
