//! The end of a connection and of the process.

use std::process::Command;

use forebay_trial::patience::until;
use tokio::time::timeout;

use super::client::{Client, Ended, GOAWAY, ON, SETTINGS, answer, get, integer, shake};
use super::origin::Origin;
use crate::support::{PATIENCE, Stage};

const HOST: &str = "a.example";

/// The frames of our control stream up to the first of this type: its payload.
async fn told(stream: &mut quinn::RecvStream, wanted: u64) -> Vec<u8> {
    let reading = async {
        let mut front = [0; 2];
        loop {
            stream.read_exact(&mut front).await.expect("a frame");
            let mut payload = vec![0; usize::from(front[1])];
            stream.read_exact(&mut payload).await.expect("its payload");
            if u64::from(front[0]) == wanted {
                return payload;
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("it is told")
}

/// Our control stream.
async fn control(client: &Client) -> quinn::RecvStream {
    let mut stream = timeout(PATIENCE, client.connection.accept_uni()).await.unwrap().unwrap();
    let mut kind = [9];
    stream.read_exact(&mut kind).await.unwrap();
    assert_eq!(kind, [0], "a control stream");
    stream
}

#[tokio::test]
async fn settings_say_that_there_is_no_dynamic_table() {
    let stage = Stage::with(&[&[HOST]], &[ON]).await;
    let client = Client::of(&stage, HOST).await;
    let payload = told(&mut control(&client).await, SETTINGS).await;
    let (mut rest, mut settings) = (&payload[..], Vec::new());
    while !rest.is_empty() {
        settings.push((integer(&mut rest), integer(&mut rest)));
    }
    assert_eq!(settings, [(0x1, 0), (0x6, 64 * 1024), (0x7, 0)]);
}

#[tokio::test]
async fn an_idle_connection_is_told_and_closed() {
    let stage = Stage::with(&[&[HOST]], &[ON, ("limits", "idle_timeout = \"1s\"")]).await;
    let client = Client::of(&stage, HOST).await;
    assert_eq!(client.get(HOST, "/").await.status(), 200);
    let mut control = control(&client).await;
    assert_eq!(told(&mut control, GOAWAY).await, [4]);
    assert_eq!(client.closed().await, Ended::Closed(0x100));
}

/// A gateway before this origin.
async fn before(origin: &Origin) -> Stage {
    Stage::with(&[&[HOST]], &[ON, ("route", &*origin.route())]).await
}

/// Once the one request has reached the gateway.
async fn heard(stage: &Stage) {
    let under_way = async || stage.metric("forebay_requests").await == 1;
    until("the request is heard", PATIENCE, under_way).await.unwrap();
}

#[tokio::test]
async fn a_drain_ends_what_is_under_way_and_refuses_what_comes() {
    let origin = Origin::start().await;
    let mut stage = before(&origin).await;
    let client = Client::of(&stage, HOST).await;
    let mut control = control(&client).await;
    let mut held = client.send(&get(HOST, "/held")).await;
    heard(&stage).await;
    stage.gateway.process.terminate().await.unwrap();
    assert_eq!(told(&mut control, GOAWAY).await, [4]);
    let late = client.ask(&get(HOST, "/late")).await;
    assert_eq!(late.unwrap_err(), Ended::Reset(0x10b));
    assert!(shake(&stage, HOST).await.is_err());
    origin.held.add_permits(1);
    assert_eq!(answer(&mut held).await.unwrap().status(), 200);
    assert_eq!(client.closed().await, Ended::Closed(0x100));
    assert!(stage.gateway.process.wait(PATIENCE).await.unwrap().success());
}

/// A process that is killed with this.
struct Successor(String);

impl Drop for Successor {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-9", &self.0]).status();
    }
}

#[tokio::test]
async fn an_upgrade_ends_what_is_under_way_and_then_the_successor_accepts() {
    let origin = Origin::start().await;
    let mut stage = before(&origin).await;
    let client = Client::of(&stage, HOST).await;
    let mut control = control(&client).await;
    let mut held = client.send(&get(HOST, "/held")).await;
    heard(&stage).await;
    let old = stage.gateway.process.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-USR2", &old]).status().unwrap().success());
    let succeeded = async || stage.words().contains(" has taken over; draining");
    until("another process has taken over", PATIENCE, succeeded).await.unwrap();
    let words = stage.words();
    let (before, _) = words.split_once(" has taken over").unwrap();
    let _successor = Successor(before.rsplit(' ').next().unwrap().to_owned());
    // First that no request is wanted here, though those on their way are answered; then from which on.
    let mut every = &told(&mut control, GOAWAY).await[..];
    assert_eq!(integer(&mut every), (1 << 62) - 4);
    assert_eq!(client.get(HOST, "/on-its-way").await.status(), 200);
    assert_eq!(told(&mut control, GOAWAY).await, [8]);
    let late = client.ask(&get(HOST, "/late")).await;
    assert_eq!(late.unwrap_err(), Ended::Reset(0x10b));
    // By TCP the successor answers all the while, and sends nobody to where nobody accepts.
    assert_eq!(stage.get(HOST, "/x").await.head.field("alt-svc"), None);
    origin.held.add_permits(1);
    assert_eq!(answer(&mut held).await.unwrap().status(), 200);
    assert_eq!(client.closed().await, Ended::Closed(0x100));
    // Its words do not end: the successor speaks where it spoke.
    let ended = async || stage.gateway.process.ended().is_some_and(|status| status.success());
    until("the old process has ended", PATIENCE, ended).await.unwrap();
    let accepts = async || shake(&stage, HOST).await.is_ok();
    until("the successor accepts", PATIENCE, accepts).await.unwrap();
    assert_eq!(Client::of(&stage, HOST).await.get(HOST, "/x").await.status(), 200);
    assert!(stage.get(HOST, "/x").await.head.field("alt-svc").is_some());
}

#[tokio::test]
async fn a_reload_takes_http_3_away_and_gives_it_back() {
    let stage = Stage::with(&[&[HOST], &["b.example"]], &[ON]).await;
    let client = Client::of(&stage, HOST).await;
    let pid = stage.gateway.process.id().unwrap();
    let words = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    let file = words.trim_end_matches('\0').rsplit('\0').next().unwrap().to_owned();
    let text = std::fs::read_to_string(&file).unwrap();
    let reload = |text: &str| {
        std::fs::write(&file, text).unwrap();
        assert!(Command::new("kill").args(["-HUP", &pid.to_string()]).status().unwrap().success());
    };
    let told = async || stage.get(HOST, "/x").await.head.field("alt-svc");
    // Another TLS, with the same certificates: who is there goes on, and who comes is shown them.
    reload(&text.replace("http3 = \"on\"", "http3 = \"on\"\nhttp3_port = 444"));
    let is_other = async || told().await.is_some_and(|value| value.contains(":444"));
    until("another TLS is there", PATIENCE, is_other).await.unwrap();
    assert_eq!(client.get(HOST, "/").await.status(), 200);
    assert_eq!(Client::of(&stage, "b.example").await.get("b.example", "/").await.status(), 200);
    reload(&text.replace("http3 = \"on\"", "http3 = \"off\""));
    let is_off = async || told().await.is_none();
    until("it is off", PATIENCE, is_off).await.unwrap();
    assert_eq!(client.get(HOST, "/").await.status(), 200);
    drop(client);
    reload(&text);
    let is_on = async || told().await.is_some() && shake(&stage, HOST).await.is_ok();
    until("it is on again", PATIENCE, is_on).await.unwrap();
}
