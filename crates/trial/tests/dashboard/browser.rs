//! A real browser, driven over plain HTTP as W3C's WebDriver says.

use std::net::SocketAddr;
use std::path::Path;

use forebay_trial::client::Client;
use forebay_trial::folder::Folder;
use forebay_trial::patience::until;
use forebay_trial::process::Process;
use serde_json::{Value, json};

use crate::PATIENCE;

/// Set, the trials in a browser are left out.
const WITHOUT: &str = "FOREBAY_NO_BROWSER";

/// Debian's places for them, before others.
const DRIVERS: [&str; 2] = ["/usr/bin/chromedriver", "/usr/local/bin/chromedriver"];

/// How WebDriver names an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The Tab key.
pub(crate) const TAB: &str = "\u{e004}";

/// What an operator's browser is told here: nothing to fetch, nothing to keep.
const FLAGS: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
    "--window-size=1440,1240",
];

/// A browser with one page. Dropped, it ends with its driver.
pub(crate) struct Browser {
    driver: SocketAddr,
    session: String,
    _process: Process,
    _profile: Folder,
}

impl Browser {
    /// A browser; `None`, loudly, where nobody wants one.
    pub(crate) async fn start() -> Option<Self> {
        if std::env::var_os(WITHOUT).is_some() {
            eprintln!("\n*** {WITHOUT} is set: THE DASHBOARD IS NOT TRIED IN A BROWSER ***\n");
            return None;
        }
        let program = DRIVERS.iter().map(Path::new).find(|program| program.is_file());
        let program = program.unwrap_or_else(|| {
            panic!(
                "there is no chromedriver: `cargo xtask test` installs it, or type `apt-get install \
                 chromium chromium-driver`, or set {WITHOUT}"
            )
        });
        let process = Process::start(program, &["--port=0"]).unwrap();
        let port = async || port(&process.output()).is_some();
        until("the driver says its port", PATIENCE, port).await.unwrap();
        let driver = SocketAddr::from(([127, 0, 0, 1], self::port(&process.output()).unwrap()));
        let profile = Folder::new("browser").unwrap();
        let own = format!("--user-data-dir={}", profile.path().display());
        let flags: Vec<&str> = FLAGS.into_iter().chain([own.as_str()]).collect();
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": flags },
        } } });
        let begun = call(driver, "POST", "/session", &wanted).await;
        let session = begun["sessionId"].as_str().unwrap_or_else(|| panic!("{begun}")).to_owned();
        Some(Browser { driver, session, _process: process, _profile: profile })
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        call(self.driver, "POST", &format!("/session/{}{path}", self.session), body).await
    }

    /// Goes there.
    pub(crate) async fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url })).await;
    }

    /// What a script in the page gives.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// The text that stands in an element.
    pub(crate) async fn text(&self, css: &str) -> String {
        let script = format!("return document.querySelector({}).innerText", json!(css));
        self.run(&script).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an element's text is as wanted.
    pub(crate) async fn reads(&self, css: &str, is_wanted: impl Fn(&str) -> bool) {
        let seen = async || is_wanted(&self.text(css).await);
        if until("the page shows it", PATIENCE, seen).await.is_err() {
            let said = self.complaints().await;
            panic!("`{css}` reads `{}`; console: {said:?}", self.text(css).await);
        }
    }

    /// Clicks on an element, as a person would: it must be seen.
    pub(crate) async fn click(&self, css: &str) {
        let id = self.element(css).await;
        self.post(&format!("/element/{id}/click"), &json!({})).await;
    }

    /// Types into an element.
    pub(crate) async fn type_into(&self, css: &str, text: &str) {
        let id = self.element(css).await;
        self.post(&format!("/element/{id}/value"), &json!({ "text": text })).await;
    }

    /// Presses a key, wherever the focus is.
    pub(crate) async fn press(&self, key: &str) {
        let press = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        let keys = json!({ "actions": [{ "type": "key", "id": "keys", "actions": press }] });
        self.post("/actions", &keys).await;
    }

    /// Makes the window so large.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        self.post("/window/rect", &json!({ "width": width, "height": height })).await;
    }

    /// What the console has said since it was asked last, but for what it always says of an answer
    /// that is a failure.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let lines = self.post("/se/log", &json!({ "type": "browser" })).await;
        let lines = lines.as_array().cloned().unwrap_or_default();
        let lines =
            lines.iter().map(|line| line["message"].as_str().unwrap_or_default().to_owned());
        lines.filter(|line| !line.contains("Failed to load resource")).collect()
    }

    /// Ends it, and waits until it has.
    pub(crate) async fn end(self) {
        let path = format!("/session/{}", self.session);
        call(self.driver, "DELETE", &path, &Value::Null).await;
    }

    async fn element(&self, css: &str) -> String {
        let found = self.post("/element", &json!({ "using": "css selector", "value": css })).await;
        found[ELEMENT].as_str().unwrap_or_else(|| panic!("`{css}`: {found}")).to_owned()
    }
}

/// The port that the driver says it has.
fn port(said: &str) -> Option<u16> {
    let rest = said.split("started successfully on port ").nth(1)?;
    rest.split(|it: char| !it.is_ascii_digit()).next()?.parse().ok()
}

async fn call(driver: SocketAddr, method: &str, path: &str, body: &Value) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {driver}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let mut client = Client::connect(driver).await.unwrap();
    let answer = client.ask(&request, PATIENCE).await.unwrap();
    let mut said: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer.head.status(), Ok(200), "{method} {path}: {}", said["value"]);
    said["value"].take()
}
