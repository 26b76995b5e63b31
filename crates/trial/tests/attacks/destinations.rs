//! Routes that lead to what only this machine reaches: refused by what an address leads to, however
//! it is written.

use std::net::SocketAddr;

use forebay_trial::client::Client;
use forebay_trial::process::Process;
use forebay_trial::real::free_address;
use forebay_trial::wire::Message;

use crate::stage::{PATIENCE, Stage, mirror, program, text};

/// A gateway with a route for each of these: a host, and where it leads.
struct Routed {
    address: SocketAddr,
    admin: SocketAddr,
    process: Process,
}

impl Routed {
    /// `PORT` in a member is the admin listener's, `PUBLIC` the other's.
    async fn start(listen_ip: &str, settings: &str, members: &[&str]) -> Self {
        let (address, admin) = (free_address().expect("a port"), free_address().expect("a port"));
        let mut file = format!(
            "listen = [\"{listen_ip}:{}\"]\nadmin = \"{admin}\"\n[destinations]\n{settings}\n",
            address.port()
        );
        for (number, member) in members.iter().enumerate() {
            let member = member.replace("PORT", &admin.port().to_string());
            let member = member.replace("PUBLIC", &address.port().to_string());
            file += &format!("[[route]]\nhost = \"h{number}\"\nto = [\"{member}\"]\n");
        }
        let path = std::env::temp_dir().join(format!(
            "forebay-destinations-{}-{}.toml",
            std::process::id(),
            address.port()
        ));
        std::fs::write(&path, file).expect("it can be written");
        let said = path.to_string_lossy().into_owned();
        let process = Process::start(&program(), &["run", "--config", &said]).expect("it starts");
        let routed = Routed { address, admin, process };
        routed.client(address).await;
        std::fs::remove_file(path).expect("it was written");
        routed
    }

    async fn client(&self, address: SocketAddr) -> Client {
        for _ in 0..1000 {
            if let Ok(client) = Client::connect(address).await {
                return client;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("nothing listens at {address}: {}", self.process.output());
    }

    async fn get(&self, number: usize, path: &str) -> Message {
        let request = format!("GET {path} HTTP/1.1\r\nHost: h{number}\r\n\r\n");
        let mut client = self.client(self.address).await;
        client.ask(&request, PATIENCE).await.expect("an answer")
    }

    async fn refused(&self, why: &str) -> u64 {
        let mut client = self.client(self.admin).await;
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let metrics = text(&client.ask(request, PATIENCE).await.expect("metrics are told"));
        let name = format!("forebay_destinations_refused_total{{reason=\"{why}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(name.as_str()));
        line.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no {name}"))
    }

    /// Every route but those is refused, and says so.
    async fn refuses_all(&self, members: &[&str]) {
        for (number, member) in members.iter().enumerate() {
            for path in ["/metrics", "/openapi.json", "/"] {
                let answer = self.get(number, path).await;
                let said = answer.head.field("cache-status").unwrap_or_default();
                assert_eq!(answer.head.status(), Ok(502), "{member}: {}", answer.shown());
                assert!(said.contains("detail=destination-refused"), "{member}: {said}");
                assert!(!text(&answer).contains("forebay_"), "{member}: {}", answer.shown());
            }
        }
    }
}

#[tokio::test]
async fn no_route_leads_to_the_admin_listener_in_any_spelling() {
    let members = [
        "127.0.0.1:PORT",
        "http://127.0.0.1:PORT",
        "http://localhost:PORT",
        "http://LOCALHOST.:PORT",
        "http://[::ffff:127.0.0.1]:PORT",
        "http://[::ffff:7f00:1]:PORT",
        "http://[0:0:0:0:0:ffff:127.0.0.1]:PORT",
        "http://[::127.0.0.1]:PORT",
        "http://[64:ff9b::127.0.0.1]:PORT",
        "http://[2002:7f00:1::1]:PORT",
        "http://0.0.0.0:PORT",
        "http://[::]:PORT",
        "http://0:PORT",
        "http://2130706433:PORT",
        "http://0x7f000001:PORT",
        "http://0x7f.1:PORT",
        "http://0177.0.0.1:PORT",
        "http://127.1:PORT",
        "h2c://127.0.0.1:PORT",
        "https://127.0.0.1:PORT",
    ];
    let routed = Routed::start("127.0.0.1", "", &members).await;
    routed.refuses_all(&members).await;
    assert!(routed.refused("own-admin").await >= 3 * 10);
    assert!(!routed.process.output().contains("panicked"), "{}", routed.process.output());
}

#[tokio::test]
async fn no_setting_allows_the_admin_listener() {
    let settings = "allow = [\"127.0.0.0/8\", \"0.0.0.0/0\", \"::/0\"]";
    let members = ["127.0.0.1:PORT", "http://localhost:PORT", "http://[::ffff:127.0.0.1]:PORT"];
    let routed = Routed::start("127.0.0.1", settings, &members).await;
    routed.refuses_all(&members).await;
}

#[tokio::test]
async fn a_listener_on_every_address_is_no_origin_by_any_of_them() {
    let members = [
        "127.0.0.1:PUBLIC",
        "127.0.0.2:PUBLIC",
        "127.255.255.254:PUBLIC",
        "http://localhost:PUBLIC",
        "http://[::ffff:127.0.0.9]:PUBLIC",
        "http://0.0.0.0:PUBLIC",
    ];
    let routed = Routed::start("0.0.0.0", "", &members).await;
    routed.refuses_all(&members).await;
    assert!(routed.refused("own-listener").await >= 3 * 5);
}

#[tokio::test]
async fn what_only_the_machines_cloud_has_is_no_origin() {
    let members = [
        "169.254.169.254:80",
        "http://169.254.169.254",
        "http://[fd00:ec2::254]",
        "http://[::ffff:169.254.169.254]",
        "http://2852039166",
        "http://0xa9fea9fe",
        "http://100.100.100.200",
        "169.254.1.1:80",
        "http://[fe80::1]",
        "224.0.0.1:80",
        "255.255.255.255:80",
    ];
    let routed = Routed::start("127.0.0.1", "", &members).await;
    routed.refuses_all(&members).await;
    assert_eq!(routed.refused("link-local").await, 3 * 2);
    assert_eq!(routed.refused("multicast").await, 3 * 2);
}

#[tokio::test]
async fn an_origin_on_loopback_is_one_unless_it_is_denied() {
    let mut stage = Stage::start(mirror).await;
    assert_eq!(stage.get("/k").await.head.status(), Ok(200));
    stage.lives().await;
    let stage = Stage::with(&[("destinations", "deny = [\"127.0.0.0/8\"]")], mirror).await;
    let answer = stage.get("/k").await;
    assert_eq!(answer.head.status(), Ok(502), "{}", answer.shown());
    assert!(stage.origin.heard().is_empty());
}
