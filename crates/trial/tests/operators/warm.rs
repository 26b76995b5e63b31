//! `forebay warm` against a node and an origin that has sitemaps, good and bad.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::Arc;

use forebay_trial::counting::{CountingOrigin, Pace};
use forebay_trial::folder::Folder;
use forebay_trial::nodes::{Nodes, Orders};
use forebay_trial::origin::Reply;
use forebay_trial::patience::until;
use forebay_trial::process;
use forebay_trial::wire::Message;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::Duration;

use super::support::*;

struct Shop {
    origin: CountingOrigin,
    nodes: Nodes,
}

impl Shop {
    /// A node before an origin that has these files, and `hello` at any other path.
    async fn with(files: &[(&str, &str)]) -> Self {
        let files: HashMap<String, String> =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let files = Arc::new(files);
        let answer = move |request: Message| {
            let path = request.head.target().to_owned();
            let kept: &[&str] = &["Cache-Control: max-age=600"];
            let reply = match (files.get(&path), path.contains("private")) {
                (Some(text), _) => Reply::whole(200, kept, text.as_bytes()),
                (None, true) => Reply::whole(200, &["Cache-Control: private"], b"mine"),
                (None, false) if path.contains("gone") => {
                    Reply::whole(404, &["Cache-Control: no-store"], b"")
                }
                (None, false) => Reply::whole(200, kept, b"hello"),
            };
            std::future::ready(reply)
        };
        let origin = CountingOrigin::start(answer).await.unwrap();
        let to = origin.address();
        let orders = |_: &_| {
            Orders::File(format!("[[route]]\nhost = \"shop.example\"\nto = \"http://{to}\"\n"))
        };
        let nodes = Nodes::start(1, orders).await.unwrap();
        Shop { origin, nodes }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(process::forebay().unwrap());
        let to = format!("http://{}", self.nodes.node(0).address());
        command.arg("warm").args(words).kill_on_drop(true);
        if !words.contains(&"--to") {
            command.args(["--to", &to]);
        }
        command
    }

    async fn warm(&self, words: &[&str]) -> Typed {
        let output = self.command(words).stdin(Stdio::null()).output();
        typed(tokio::time::timeout(PATIENCE, output).await.unwrap().unwrap())
    }
}

fn sitemap(urls: &[&str]) -> String {
    let urls = urls.iter().map(|url| format!("<url><loc>{url}</loc></url>"));
    let urls: String = urls.collect();
    format!(
        "<?xml version=\"1.0\"?><urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">{urls}</urlset>"
    )
}

#[tokio::test]
async fn an_index_of_sitemaps_is_followed_and_what_is_there_is_not_fetched_again() {
    let index = "<sitemapindex><sitemap><loc>https://shop.example/1.xml</loc></sitemap>\
                 <sitemap><loc>https://shop.example/2.xml</loc></sitemap></sitemapindex>";
    let one = sitemap(&["https://shop.example/a", "https://shop.example/b?x=1&amp;y=2"]);
    let two = sitemap(&[
        "https://shop.example/private",
        "https://shop.example/gone",
        "https://elsewhere.example/",
        "ftp://no",
        "https://shop.example/a",
    ]);
    let shop = Shop::with(&[("/index.xml", index), ("/1.xml", &one), ("/2.xml", &two)]).await;
    let warmed = shop.warm(&["--sitemap", "https://shop.example/index.xml", "--json"]).await;
    assert_eq!(warmed.status, 4, "{warmed:?}");
    let said = warmed.json();
    let numbers =
        ["urls", "asked", "stored_already", "fetched", "unusable"].map(|name| said[name].clone());
    assert_eq!(numbers, [5, 5, 0, 2, 1].map(Value::from), "{said}");
    assert_eq!(said["not_kept"], serde_json::json!({ "private": 1, "no-store": 1 }), "{said}");
    assert_eq!(said["failed"], serde_json::json!({ "no-route": 1 }), "{said}");
    assert_eq!(said["failed_first"][0]["url"], "https://elsewhere.example/", "{said}");
    assert_eq!((shop.origin.count_of("/a"), shop.origin.count_of("/b?x=1&y=2")), (1, 1));
    let again = shop.warm(&["--sitemap", "https://shop.example/1.xml"]).await;
    assert_eq!((again.status, again.complained.as_str()), (0, ""), "{again:?}");
    assert!(
        again.said.starts_with("asked 2: 2 stored already, 0 fetched, 0 not kept, 0 failed"),
        "{again:?}"
    );
    assert_eq!(shop.origin.count_of("/a"), 1);
    let hit = shop.nodes.node(0).get("/a", &["Host: shop.example"]).await.unwrap();
    assert!(hit.head.field("cache-status").unwrap().contains("; hit"), "{}", hit.shown());
}

#[tokio::test]
async fn a_list_comes_from_a_file_or_from_standard_input() {
    let shop = Shop::with(&[]).await;
    let folder = Folder::new("warm").unwrap();
    let many: String = (0..50).map(|number| format!("http://shop.example/{number}\n")).collect();
    let file = folder.write("urls.txt", &many).unwrap();
    let file = file.to_string_lossy().into_owned();
    let some = shop.warm(&["--list", &file, "--max", "20", "--concurrency", "3"]).await;
    assert!(
        some.status == 0 && some.said.starts_with("asked 20: 0 stored already, 20 fetched"),
        "{some:?}"
    );
    let mut reading = shop
        .command(&["--list", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = reading.stdin.take().unwrap();
    to.write_all(many.as_bytes()).await.unwrap();
    drop(to);
    let all =
        typed(tokio::time::timeout(PATIENCE, reading.wait_with_output()).await.unwrap().unwrap());
    assert!(all.said.starts_with("asked 50: 20 stored already, 30 fetched"), "{all:?}");
    assert_eq!(shop.origin.count(), 50);
}

#[tokio::test]
async fn what_cannot_be_used_is_said_and_nothing_is_asked() {
    let bomb = "<!DOCTYPE a [<!ENTITY b \"x\">]><urlset><url><loc>&b;</loc></url></urlset>";
    let index =
        "<sitemapindex><sitemap><loc>https://shop.example/index.xml</loc></sitemap></sitemapindex>";
    let shop =
        Shop::with(&[("/bomb.xml", bomb), ("/index.xml", index), ("/page", "<html></html>")]).await;
    for (words, why) in [
        (&["--sitemap", "https://shop.example/bomb.xml"][..], "document type"),
        (&["--sitemap", "https://shop.example/index.xml"], "an index names an index"),
        (&["--sitemap", "https://shop.example/page"], "no sitemap"),
        (&["--sitemap", "https://shop.example/gone.xml"], "answers 404"),
        (&["--sitemap", "shop.example"], "no scheme"),
        (&["--list", "/no/such/file"], "No such file"),
        (&["--list", "/dev/null"], "nothing is named"),
        (&["--list", "/dev/null", "--to", "ftp://a"], "its scheme is neither"),
        (&["--list", "/dev/null", "-H", "Host: a"], "its own host"),
    ] {
        let typed = shop.warm(words).await;
        assert_eq!((typed.status, typed.said.as_str()), (1, ""), "{typed:?}");
        assert!(typed.complained.contains(why), "{why}: {typed:?}");
    }
    assert_eq!(shop.warm(&[]).await.status, 2);
    let nobody =
        shop.warm(&["--sitemap", "https://shop.example/a", "--to", "http://127.0.0.1:1"]).await;
    assert!(
        nobody.status == 1 && nobody.complained.contains("cannot reach the gateway"),
        "{nobody:?}"
    );
}

#[tokio::test]
async fn an_interrupt_ends_it_with_what_was_done() {
    let shop = Shop::with(&[]).await;
    shop.origin.pace(Pace { before_head: Duration::from_millis(100), ..Pace::default() });
    let folder = Folder::new("warm").unwrap();
    let many: String = (0..5000).map(|number| format!("http://shop.example/{number}\n")).collect();
    let file = folder.write("urls.txt", &many).unwrap();
    let file = file.to_string_lossy().into_owned();
    let words = ["--list", &file, "--concurrency", "2", "--json"];
    let warming =
        shop.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let some = async || shop.origin.count() >= 5;
    until("some are asked", PATIENCE, some).await.unwrap();
    let id = warming.id().unwrap().to_string();
    Command::new("kill").args(["-INT", &id]).status().await.unwrap();
    let ended =
        typed(tokio::time::timeout(PATIENCE, warming.wait_with_output()).await.unwrap().unwrap());
    let said = ended.json();
    assert_eq!((ended.status, &said["interrupted"]), (130, &Value::Bool(true)), "{ended:?}");
    let asked = said["asked"].as_u64().unwrap();
    assert!((3..5000).contains(&asked), "{said}");
}

#[tokio::test]
async fn no_more_are_asked_a_second_than_is_said() {
    let shop = Shop::with(&[]).await;
    let folder = Folder::new("warm").unwrap();
    let many: String = (0..20).map(|number| format!("http://shop.example/{number}\n")).collect();
    let file = folder.write("urls.txt", &many).unwrap();
    let file = file.to_string_lossy().into_owned();
    let warmed = shop.warm(&["--list", &file, "--rate", "20", "--json"]).await;
    // The first at once, the others a twentieth of a second apart.
    assert!(warmed.json()["seconds"].as_f64().unwrap() >= 0.9, "{warmed:?}");
}
