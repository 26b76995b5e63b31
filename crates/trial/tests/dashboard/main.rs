//! The dashboard in a real browser: what an operator sees, types and presses, and what a stranger's
//! words do to it.

#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

mod browser;

use std::time::Duration;

use forebay_trial::counting::CountingOrigin;
use forebay_trial::nodes::{Nodes, Orders};
use forebay_trial::origin::Reply;
use forebay_trial::wire::Message;
use serde_json::Value;

use self::browser::{Browser, TAB};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The token that the node is told.
const TOKEN: &str = "the-operators-own-token";

/// Markup that says so in the page if anything ever takes it for such.
const MARKUP: &str = "<img/src=x/onerror=window.ran=1><script>window.ran=1</script>";

struct Stage {
    origin: CountingOrigin,
    nodes: Nodes,
}

impl Stage {
    async fn start() -> Self {
        let answer = |request: Message| {
            let kept = ["Cache-Control: max-age=600", "Surrogate-Key: sale"];
            let fields: &[&str] = match request.head.target().contains("private") {
                true => &["Cache-Control: private"],
                false => &kept,
            };
            std::future::ready(Reply::whole(200, fields, b"hello"))
        };
        let origin = CountingOrigin::start(answer).await.unwrap();
        let to = origin.address();
        let nodes = Nodes::start(1, |_| {
            Orders::File(format!(
                "admin_token = \"{TOKEN}\"\nname = \"edge\"\n[[route]]\nname = \"shop\"\nto = \"http://{to}\"\n"
            ))
        });
        Stage { origin, nodes: nodes.await.unwrap() }
    }

    fn dashboard(&self) -> String {
        format!("http://{}/", self.nodes.node(0).admin())
    }

    async fn visit(&self, path: &str, times: usize) {
        for _ in 0..times {
            self.nodes.node(0).get(path, &["Host: shop.example"]).await.unwrap();
        }
    }

    /// The dashboard, opened by an operator who knows the token.
    async fn looked_at(&self) -> Option<Browser> {
        let browser = Browser::start().await?;
        browser.open(&self.dashboard()).await;
        browser.type_into("#token", TOKEN).await;
        browser.click("#gate button").await;
        browser.reads("#live-text", |text| text == "Live").await;
        Some(browser)
    }
}

/// Nothing ran that should not, and nothing was asked that the page may not.
async fn is_quiet(browser: &Browser) {
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    assert_eq!(browser.run("return window.ran === undefined").await, Value::Bool(true));
}

#[tokio::test]
async fn the_page_asks_for_the_token_and_then_shows_numbers_that_follow_the_load() {
    let stage = Stage::start().await;
    stage.visit("/a", 3).await;
    let Some(browser) = Browser::start().await else { return };
    browser.open(&stage.dashboard()).await;
    browser.reads("#live-text", |text| text == "Waiting for the token").await;
    browser.type_into("#token", "wrong").await;
    browser.click("#gate button").await;
    browser.reads("#gate-error", |text| text.contains("say the admin token")).await;
    browser.type_into("#token", TOKEN).await;
    browser.click("#gate button").await;
    browser.reads("#live-text", |text| text == "Live").await;
    browser.reads("#sums", |text| text.starts_with("3 since the start")).await;
    stage.visit("/a", 4).await;
    browser.reads("#sums", |text| text.starts_with("7 since the start")).await;
    browser.reads("#hottest tbody", |text| text.contains("http://shop.example/a")).await;
    browser.reads("#legend", |text| text.contains("hit") && text.contains('6')).await;
    stage.visit("/private", 1).await;
    browser.reads("#reasons tbody", |text| text.contains("private")).await;
    browser.reads("#members tbody", |text| text.contains("shop") && text.contains("up")).await;
    browser.reads("#tiers tbody", |text| text.contains("memory")).await;
    let kept = browser.run("return [localStorage.length, document.cookie]").await;
    assert_eq!(kept, serde_json::json!([0, ""]), "the token outlives the tab");
    is_quiet(&browser).await;
    browser.end().await;
}

#[tokio::test]
async fn a_purge_and_a_why_are_asked_by_forms_that_say_what_came_of_it() {
    let stage = Stage::start().await;
    stage.visit("/a", 2).await;
    let Some(browser) = stage.looked_at().await else { return };
    browser.type_into("#why-url", "http://shop.example/a").await;
    browser.click("#why button").await;
    browser.reads("#why-said", |text| text.contains("hit") && text.contains("memory")).await;
    browser.type_into("#purge-name", "http://shop.example/a").await;
    browser.click("#purge button").await;
    browser.reads("#purge-said", |text| text.contains("Purge 1 is in force")).await;
    browser
        .reads("#purge-said tbody", |text| text.contains("edge@") && text.contains("applied"))
        .await;
    browser.reads("#purges tbody", |text| text.contains("http://shop.example/a")).await;
    browser.click("#why button").await;
    // What was purged may be reclaimed already.
    let is_gone = |text: &str| text.contains("purge 1") || text.contains("nothing is stored");
    browser.reads("#why-said", is_gone).await;
    let before = stage.origin.count_of("/a");
    stage.visit("/a", 1).await;
    assert_eq!(stage.origin.count_of("/a"), before + 1);
    // Everything wants a second word.
    browser.run("const s = document.querySelector('#purge-scope'); s.value = 'all'; s.dispatchEvent(new Event('change'))").await;
    browser.click("#purge button").await;
    assert!(browser.text("#purge-said").await.contains("Purge 1 is in force"));
    browser.click("#purge-sure").await;
    browser.click("#purge button").await;
    browser.reads("#purge-said", |text| text.contains("Purge 2 is in force")).await;
    browser.run("document.querySelector('#purge-scope').value = 'hosts'; document.querySelector('#purge-scope').dispatchEvent(new Event('change')); document.querySelector('#purge-name').value = 'a b'").await;
    browser.click("#purge button").await;
    browser.reads("#purge-said .error", |text| text.contains("cannot purge the host `a b`")).await;
    is_quiet(&browser).await;
    browser.end().await;
}

#[tokio::test]
async fn markup_in_what_strangers_ask_and_operators_purge_is_text() {
    let stage = Stage::start().await;
    let encoded = MARKUP.replace('<', "%3C").replace('>', "%3E");
    stage.visit(&format!("/{encoded}"), 3).await;
    // Where a client may send it raw, it is shown as it is.
    stage.visit("/'onmouseover='window.ran=1&lt;b&gt;", 3).await;
    let Some(browser) = stage.looked_at().await else { return };
    browser.reads("#hottest tbody", |text| text.contains("&lt;b&gt;")).await;
    browser.reads("#hottest tbody", |text| text.contains("%3Cscript%3E")).await;
    browser.run(&format!(
        "document.querySelector('#purge-scope').value = 'tags'; document.querySelector('#purge-scope').dispatchEvent(new Event('change')); document.querySelector('#purge-name').value = {}",
        serde_json::json!(MARKUP)
    ))
    .await;
    browser.click("#purge button").await;
    browser.reads("#purges tbody", |text| text.contains(MARKUP)).await;
    browser.type_into("#why-url", &format!("http://shop.example/?{MARKUP}")).await;
    browser.click("#why button").await;
    browser.reads("#why-said", |text| text.contains(MARKUP)).await;
    let elements = browser
        .run("return document.querySelectorAll('main img, main script, main b b').length")
        .await;
    assert_eq!(elements, 0);
    is_quiet(&browser).await;
    browser.end().await;
}

#[tokio::test]
async fn the_keyboard_reaches_all_that_can_be_done() {
    let stage = Stage::start().await;
    stage.visit("/a", 3).await;
    let Some(browser) = stage.looked_at().await else { return };
    browser.reads("#hottest tbody", |text| text.contains("/a")).await;
    browser.run("document.activeElement.blur(); window.reached = new Set()").await;
    for _ in 0..120 {
        browser.press(TAB).await;
        browser.run("const it = document.activeElement; window.reached.add(it); ").await;
    }
    let missed = browser
        .run(
            "const all = [...document.querySelectorAll('a, button, input, select, textarea')];
             const seen = all.filter((it) => it.checkVisibility() && !it.disabled);
             const radios = (it) => it.type === 'radio' && !it.checked;
             return seen.filter((it) => !radios(it) && !window.reached.has(it))
               .map((it) => it.id || it.textContent || it.href)",
        )
        .await;
    assert_eq!(missed, serde_json::json!([]));
    // A heading sorts by the keyboard too, and says how.
    browser.run("document.querySelector('#hottest thead button').focus()").await;
    browser.press("\u{e007}").await;
    let sorted = "return document.querySelector('#hottest th').getAttribute('aria-sort')";
    assert_eq!(browser.run(sorted).await, "ascending");
    // Whatever is asked for has a name.
    let nameless = browser
        .run(
            "return [...document.querySelectorAll('input, select, textarea')]
               .filter((it) => !it.labels.length || !it.labels[0].textContent.trim())
               .map((it) => it.id)",
        )
        .await;
    assert_eq!(nameless, serde_json::json!([]));
    is_quiet(&browser).await;
    browser.end().await;
}

#[tokio::test]
async fn it_is_light_or_dark_and_fits_a_narrow_window() {
    let stage = Stage::start().await;
    stage.visit("/a", 3).await;
    let Some(browser) = stage.looked_at().await else { return };
    let choose = async |theme: &str| {
        browser.run(&format!("const it = document.querySelector('#theme'); it.value = '{theme}'; it.dispatchEvent(new Event('change'))")).await;
        let ground = browser.run("return getComputedStyle(document.body).backgroundColor").await;
        ground.as_str().unwrap().to_owned()
    };
    let brightness = |colour: &str| -> u32 {
        let numbers =
            colour.split(|it: char| !it.is_ascii_digit()).filter_map(|it| it.parse::<u32>().ok());
        numbers.take(3).sum()
    };
    assert!(brightness(&choose("light").await) > 600);
    assert!(brightness(&choose("dark").await) < 150);
    for width in [360, 768, 1440] {
        browser.resize(width, 900).await;
        let spills = browser.run("return document.documentElement.scrollWidth > innerWidth").await;
        assert_eq!(spills, false, "{width}");
    }
    is_quiet(&browser).await;
    browser.end().await;
}

#[tokio::test]
async fn a_gateway_that_is_gone_is_said_to_be_and_seen_when_it_is_back() {
    let mut stage = Stage::start().await;
    let Some(browser) = stage.looked_at().await else { return };
    stage.nodes.node_mut(0).kill().await.unwrap();
    browser.reads("#live-text", |text| text == "The gateway does not answer").await;
    stage.nodes.node_mut(0).restart().await.unwrap();
    browser.reads("#live-text", |text| text == "Live").await;
    browser.click("#pause").await;
    browser.reads("#live-text", |text| text == "Paused").await;
    browser.end().await;
}

#[tokio::test]
async fn the_browser_runs_nothing_but_the_scripts_beside_the_page() {
    let stage = Stage::start().await;
    let Some(browser) = stage.looked_at().await else { return };
    is_quiet(&browser).await;
    let attempts = [
        "document.body.innerHTML = '<b>x</b>'",
        "const it = document.createElement('script'); it.textContent = 'window.ran = 1'; document.body.append(it)",
        "const it = document.createElement('script'); it.src = 'data:text/javascript,window.ran=1'; document.body.append(it)",
        "document.body.setAttribute('onclick', 'window.ran = 1'); document.body.click()",
    ];
    for attempt in attempts {
        let refused =
            format!("try {{ {attempt} }} catch {{ return true }} return window.ran === undefined");
        assert_eq!(browser.run(&refused).await, true, "{attempt}");
    }
    let elsewhere = format!(
        "const it = new Image(); it.src = 'http://{}/a'; document.body.append(it)",
        stage.origin.address()
    );
    browser.run(&elsewhere).await;
    let told = async || {
        browser.complaints().await.iter().any(|line| line.contains("Content Security Policy"))
    };
    forebay_trial::patience::until("the browser says what it refused", PATIENCE, told)
        .await
        .unwrap();
    assert_eq!(stage.origin.count(), 0);
    browser.end().await;
}
