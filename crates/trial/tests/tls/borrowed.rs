//! Certificates that lie in Redis.

use forebay_trial::patience::until;
use forebay_trial::redis::RedisServer;
use tokio_rustls::rustls::AlertDescription;

use crate::authority::Issued;
use crate::support::{PATIENCE, Stage};

async fn put(redis: &RedisServer, host: &str, one: &Issued) {
    let text = format!("{}{}", one.certificate, one.key);
    let key = format!("forebay:cert:{host}");
    redis.command(&["SET", &key, &text]).await.unwrap().ok().unwrap();
}

async fn shown(stage: &Stage, host: &str, one: &Issued) -> bool {
    let Ok(stream) = stage.secure(host, stage.terms(&["http/1.1"])).await else { return false };
    stream.get_ref().1.peer_certificates().unwrap()[0] == one.der
}

#[tokio::test]
async fn a_certificate_in_redis_is_shown_changed_and_outlives_redis() {
    let redis = RedisServer::start().await.unwrap();
    let url = format!("url = \"{}\"", redis.url());
    let lines =
        [("redis", url.as_str()), ("tls", "redis = \"on\""), ("tls", "redis_interval = \"200ms\"")];
    let stage = Stage::with(&[&["a.example"]], &lines).await;
    let alert = stage.alert("b.example", stage.terms(&[])).await;
    assert_eq!(alert, AlertDescription::UnrecognisedName);
    let sees = async |host: &str, one: &Issued| {
        let seen = until("it is shown", PATIENCE, async || shown(&stage, host, one).await).await;
        seen.unwrap_or_else(|why| panic!("{host}: {why}{}", stage.words()));
    };
    let (exact, wild) =
        (stage.authority.issue(&["b.example"]), stage.authority.issue(&["*.c.example"]));
    put(&redis, "b.example", &exact).await;
    put(&redis, "*.c.example", &wild).await;
    sees("b.example", &exact).await;
    sees("x.c.example", &wild).await;
    assert_eq!(stage.get("b.example", "/").await.head.status().unwrap(), 200);
    assert_eq!(stage.ask_as("a.example", "b.example", "/").await.head.status().unwrap(), 421);
    let next = stage.authority.issue(&["b.example"]);
    put(&redis, "b.example", &next).await;
    sees("b.example", &next).await;
    // Neither a wrong value nor a Redis that is away takes the last good one away.
    redis.command(&["SET", "forebay:cert:b.example", "nothing of the kind"]).await.unwrap();
    let failed = async || {
        assert!(shown(&stage, "b.example", &next).await);
        stage.metric("forebay_tls_reloads_failed_total").await > 0
    };
    until("the wrong value is counted", PATIENCE, failed).await.unwrap();
    drop(redis);
    for _ in 0..3 {
        assert!(shown(&stage, "b.example", &next).await, "{}", stage.words());
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
}
