//! A connection becomes a tunnel after a 101 that was asked for, and never otherwise.

use super::*;
use Act::{Read, ReadUntil, Write};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn wish() -> Request<RequestBody> {
    let mut request = get();
    request.headers_mut().insert(UPGRADE, "websocket".parse().unwrap());
    request
}

#[tokio::test]
async fn after_a_101_bytes_flow_both_ways() {
    let switch = Write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nhello ");
    let script = vec![Read, switch, ReadUntil("ping"), Write("pong")];
    let origin = Origin::start(vec![script]).await;
    let upstream = over_network(&http(origin.address));
    let mut response = upstream.send(wish(), None).await.unwrap();
    assert_eq!(response.status(), 101);
    let mut tunnel = tunnel(&mut response).unwrap();
    drop(response);
    tunnel.write_all(b"ping").await.unwrap();
    tunnel.shutdown().await.unwrap();
    let mut text = String::new();
    tunnel.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello pong");
    assert!(origin.seen()[0].contains("\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"));
}

#[tokio::test]
async fn a_refused_wish_is_an_ordinary_response() {
    let refusal = Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
    let origin = Origin::start(vec![vec![Read, refusal, Read, refusal]]).await;
    let upstream = over_network(&http(origin.address));
    let mut response = upstream.send(wish(), None).await.unwrap();
    assert_eq!(tunnel(&mut response).err().unwrap().kind, FailureKind::Tunnel);
    assert_eq!(hear(response).await.unwrap().body, "no");
    assert_eq!(ask(&upstream, get()).await.unwrap().body, "no");
}

#[tokio::test]
async fn connect_never_goes_to_an_origin() {
    let origin = Origin::start(vec![vec![Read]]).await;
    let upstream = over_network(&http(origin.address));
    let failure = ask(&upstream, request("CONNECT", RequestBody::Empty)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unsendable);
}

#[tokio::test]
async fn a_tunnel_keeps_its_place_until_it_closes() {
    let switch = Write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
    let reply = Write("HTTP/1.1 204 No Content\r\n\r\n");
    let origin = Origin::start(vec![vec![Read, switch, Act::Stall], vec![Read, reply]]).await;
    let settings = UpstreamSettings {
        connections_max: 1,
        connect_timeout: Duration::from_millis(100),
        ..http(origin.address)
    };
    let upstream = over_network(&settings);
    let mut response = upstream.send(wish(), None).await.unwrap();
    let tunnel = tunnel(&mut response).unwrap();
    assert_eq!(ask(&upstream, get()).await.unwrap_err().kind, FailureKind::PoolFull);
    drop(tunnel);
    assert_eq!(ask(&upstream, get()).await.unwrap().status, 204);
}
