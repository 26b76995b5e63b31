//! Web cache deception: no path makes the gateway keep what the origin did not give to all, and
//! the key is what the origin sees.

use forebay_trial::origin::Reply;

use crate::stage::{Stage, is_hit, text};

/// Ways to make `/account` look like a file to a cache that looks at paths.
const DISGUISES: [&str; 30] = [
    "/account/a.css",
    "/account;a.css",
    "/account%3ba.css",
    "/account%2fa.css",
    "/account%2Fa.js",
    "/account/..%2fa.css",
    "/account%2f..%2fa.css",
    "/account/%2e%2e/static/a.css",
    "/account/../static/a.css",
    "/static/../account",
    "/static/..%2faccount",
    "/static/%2e%2e%2faccount",
    "/static/..;/account",
    "/account%00.css",
    "/account%00a.js",
    "/account%0aa.css",
    "/account%09a.css",
    "/account%20a.css",
    "/account%23a.css",
    "/account%3fa.css",
    "/account?a.css",
    "/account?x=/a.css",
    "/account/robots.txt",
    "/account/favicon.ico",
    "/account$a.css",
    "/account!a.css",
    "/account,a.css",
    "/account.css",
    "/account\\a.css",
    "/assets/..%5caccount",
];

/// The next one asks the same in the same words: is he shown the first one's account?
async fn deceives_nobody(fields: &'static [&'static str]) {
    let stage = Stage::start(move |request| {
        let who = request.head.field("cookie").unwrap_or_else(|| "nobody".to_owned());
        Reply::whole(200, fields, format!("account of {who}").as_bytes())
    })
    .await;
    for path in DISGUISES {
        for agent in ["text/css,*/*;q=0.1", "image/png", "text/html"] {
            let victim = format!(
                "GET {path} HTTP/1.1\r\nHost: a\r\nAccept: {agent}\r\n\
                Sec-Fetch-Dest: style\r\nCookie: session=victim\r\n\r\n"
            );
            stage.ask(&victim).await;
        }
        let seen = stage.get(path).await;
        assert!(!is_hit(&seen) && !text(&seen).contains("victim"), "{path} with {fields:?}");
    }
}

#[tokio::test]
async fn what_is_private_or_not_to_be_stored_is_kept_under_no_disguise() {
    deceives_nobody(&["Cache-Control: private"]).await;
    deceives_nobody(&["Cache-Control: no-store"]).await;
    deceives_nobody(&["Cache-Control: private, max-age=60"]).await;
    deceives_nobody(&["Cache-Control: max-age=60", "Cache-Control: no-store"]).await;
}

#[tokio::test]
async fn what_says_nothing_is_kept_under_no_disguise() {
    deceives_nobody(&[]).await;
    deceives_nobody(&["Content-Type: text/css"]).await;
    deceives_nobody(&["Content-Type: text/html", "ETag: \"x\""]).await;
}

#[tokio::test]
async fn what_sets_a_cookie_is_kept_under_no_disguise() {
    deceives_nobody(&["Cache-Control: max-age=60", "Set-Cookie: session=victim"]).await;
}

#[tokio::test]
async fn what_varies_by_cookie_is_another_answer_for_another_cookie() {
    deceives_nobody(&["Cache-Control: max-age=60", "Vary: Cookie"]).await;
    deceives_nobody(&["Cache-Control: max-age=60", "Vary: *"]).await;
}

#[tokio::test]
async fn a_disguise_never_takes_the_place_of_the_plain_path() {
    // The origin tidies paths up, as many do; the cache must not.
    let stage = Stage::start(|request| {
        let body = format!("for {}", request.head.target());
        Reply::whole(200, &["Cache-Control: max-age=60"], body.as_bytes())
    })
    .await;
    for path in DISGUISES {
        stage.get(path).await;
    }
    for path in ["/account", "/static/a.css", "/a.css", "/", "/account/"] {
        assert_eq!(text(&stage.get(path).await), format!("for {path}"));
    }
}
