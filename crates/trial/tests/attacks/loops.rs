//! Requests that come back to the gateway that sent them: refused, not multiplied (RFC 8586).

use forebay_trial::client::Client;
use forebay_trial::process::Process;
use forebay_trial::real::{configuration, free_address};

use crate::stage::{PATIENCE, Stage, mirror, program};

#[tokio::test]
async fn a_gateway_that_is_its_own_origin_says_508_and_makes_no_storm() {
    let (address, admin) = (free_address().expect("a port"), free_address().expect("a port"));
    let file = std::env::temp_dir().join(format!("forebay-attacks-{}.toml", std::process::id()));
    // By itself it does not connect to itself.
    let told = configuration(address, admin, address, &[]);
    let told = format!("{told}\n[destinations]\nallow = [\"{address}\"]\n");
    std::fs::write(&file, told).expect("it can be written");
    let path = file.to_string_lossy().into_owned();
    let mut process = Process::start(&program(), &["run", "--config", &path]).expect("it starts");
    let mut client = connect(address).await;
    for (method, fields) in [
        ("GET", ""),
        ("POST", "Content-Length: 0\r\n"),
        ("GET", "Connection: CDN-Loop, Via\r\n"),
        ("GET", "CDN-Loop: other; node=x\r\n"),
        ("OPTIONS", ""),
    ] {
        let request = format!("{method} /k HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let answer = client.ask(&request, PATIENCE).await.expect("an answer");
        assert_eq!(answer.head.status(), Ok(508), "{method} {fields}: {}", answer.shown());
    }
    let mut operator = Client::connect(admin).await.expect("the admin listens");
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let metrics = operator.ask(request, PATIENCE).await.expect("metrics are told");
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let total = metrics.lines().find_map(|line| line.strip_prefix("forebay_requests_total "));
    let total: f64 = total.and_then(|total| total.parse().ok()).expect("it is counted");
    assert!(total <= 11.0, "five requests became {total}");
    process.kill().await.expect("it runs until now");
    std::fs::remove_file(file).expect("it was written");
}

async fn connect(address: std::net::SocketAddr) -> Client {
    for _ in 0..1000 {
        if let Ok(client) = Client::connect(address).await {
            return client;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("nothing listens at {address}");
}

#[tokio::test]
async fn two_gateways_in_a_circle_end_it() {
    let (one, other) = (free_address().expect("a port"), free_address().expect("a port"));
    // One that leads to the place where the other will be.
    let mut gateways = Vec::new();
    for (at, to) in [(one, other), (other, one)] {
        let admin = free_address().expect("a port");
        let file = std::env::temp_dir().join(format!(
            "forebay-circle-{}-{}.toml",
            std::process::id(),
            at.port()
        ));
        std::fs::write(&file, configuration(at, admin, to, &[])).expect("it can be written");
        let path = file.to_string_lossy().into_owned();
        let process = Process::start(&program(), &["run", "--config", &path]).expect("it starts");
        connect(at).await;
        gateways.push(process);
        std::fs::remove_file(file).expect("it was written");
    }
    let mut client = connect(one).await;
    let answer = client.ask("GET /k HTTP/1.1\r\nHost: a\r\n\r\n", PATIENCE).await;
    assert_eq!(answer.expect("an answer").head.status(), Ok(508));
}

#[tokio::test]
async fn a_false_claim_of_a_loop_is_no_way_to_refuse_others() {
    let stage = Stage::start(mirror).await;
    for fields in [
        "CDN-Loop: forebay",
        "CDN-Loop: forebay; node=0000000000000000",
        "CDN-Loop: forebay; node=*",
        "Via: 1.1 forebay",
        "CDN-Loop: \"",
        "CDN-Loop: ;;;,,,",
    ] {
        let sent = format!("GET /k HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
        assert_eq!(stage.ask(&sent).await.head.status(), Ok(200), "{fields}");
        assert_eq!(stage.get("/k").await.head.status(), Ok(200));
    }
}

#[tokio::test]
async fn what_tells_loops_is_not_told_to_clients() {
    // Who knew the node's name could claim loops, or hide them.
    let stage = Stage::start(|_| {
        forebay_trial::origin::Reply::whole(200, &["Cache-Control: max-age=60"], b"x")
    })
    .await;
    let answer = stage.get("/k").await;
    let heard = stage.origin.heard().remove(0);
    let node = heard.head.field("cdn-loop").expect("it is said to the origin");
    let node = node.split("node=").nth(1).expect("a node").to_owned();
    assert!(!answer.shown().contains(&node), "{}", answer.shown());
}
