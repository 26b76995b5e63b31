//! `POST /why`: what a request would be answered, and why, by every node.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{body, reply};
use crate::answer::Answer;
use crate::ask::{Ask, Unasked};
use crate::asking::Asking;
use crate::gateway::{Gateway, Live};
use crate::route::Grounds;
use crate::server::{Peer, Request, RequestBody, Transport};
use crate::why::{Why, why};

/// A request that is asked about, and not made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskWhy {
    /// Its URL.
    pub url: String,
    /// Its method; GET where it is empty.
    pub method: String,
    /// Its fields, as name and value.
    pub fields: Vec<(String, String)>,
}

/// What every node said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct WhyAll {
    /// Each that answered, by name; who was asked first.
    pub nodes: Vec<Why>,
    /// How many were asked.
    pub asked: usize,
}

/// Asks all nodes why, and answers them.
#[derive(Clone)]
pub struct WhyDesk {
    asking: Option<Arc<Asking<AskWhy, Option<Why>>>>,
}

impl WhyDesk {
    /// For this gateway; answers what other nodes ask from here on. To be called within a runtime.
    pub fn open(live: &Live) -> Self {
        let gateway = live.now();
        let shared = gateway.storage().shared.as_ref().zip(gateway.config().redis.as_ref());
        let asking = shared.map(|(shared, settings)| {
            let channel = format!("{}why:ask", settings.prefix);
            Arc::new(Asking::new(Arc::clone(&shared.link), channel))
        });
        if let Some(asking) = asking.clone() {
            let live = live.clone();
            tokio::spawn(async move {
                let answer = |asked: AskWhy| {
                    let gateway = live.now();
                    // What this node would refuse is said by whoever asked.
                    async move { explained(&gateway, &asked).await.ok() }
                };
                asking.listen(answer).await;
            });
        }
        WhyDesk { asking }
    }

    /// What all nodes say; this one alone where others cannot be asked.
    async fn ask(&self, gateway: &Gateway, asked: AskWhy) -> Result<WhyAll, String> {
        let own = explained(gateway, &asked).await?;
        let heard = match &self.asking {
            Some(asking) => asking.ask(asked).await.ok(),
            None => None,
        };
        let Some(heard) = heard else { return Ok(WhyAll { nodes: vec![own], asked: 1 }) };
        let mut others: Vec<Why> = heard.answers.into_iter().flatten().collect();
        others.retain(|other| other.node != own.node);
        others.sort_by(|one, other| one.node.cmp(&other.node));
        let asked = heard.receivers.max(1 + others.len());
        Ok(WhyAll { nodes: [vec![own], others].concat(), asked })
    }
}

/// Answers why.
pub(super) async fn answer(gateway: &Gateway, desk: &WhyDesk, body: RequestBody) -> Answer {
    let asked: AskWhy = match body::json(body).await {
        Ok(asked) => asked,
        Err(unread) => return reply::unread(&unread),
    };
    match desk.ask(gateway, asked).await {
        Ok(all) => reply::value(StatusCode::OK, &all),
        Err(why) => reply::error(StatusCode::UNPROCESSABLE_ENTITY, &why),
    }
}

async fn explained(gateway: &Gateway, asked: &AskWhy) -> Result<Why, String> {
    let (request, began) = (request(asked)?, Instant::now());
    let asked_for = match Ask::of(gateway, request, began, Grounds::Fresh) {
        Ok(asked_for) => Ok(asked_for),
        Err(Unasked::Refused(refusal)) => Err(refusal),
        Err(Unasked::Unrouted(request, host)) => {
            Ask::learned(gateway, *request, &host, began).await
        }
    };
    let asked_for = asked_for.map_err(|refusal| {
        format!("it would be refused with {}: {}", refusal.status.as_u16(), refusal.words)
    })?;
    Ok(why(gateway, &asked_for.ask).await)
}

fn request(asked: &AskWhy) -> Result<Request, String> {
    let refused = |why: &str| format!("cannot explain `{}`: {why}", asked.url);
    let uri: Uri = asked.url.parse().map_err(|_| refused("it is no URL"))?;
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(refused("write it whole, such as https://example.com/a"));
    };
    let method = if asked.method.is_empty() { "GET" } else { &asked.method };
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| refused("no such method"))?;
    let mut fields = HeaderMap::new();
    for (name, value) in &asked.fields {
        let name = HeaderName::from_bytes(name.as_bytes());
        let name = name.map_err(|_| refused("a field has no such name"))?;
        let value = HeaderValue::from_str(value);
        fields.append(name, value.map_err(|_| refused("a field has no such value"))?);
    }
    let host = HeaderValue::from_str(authority.as_str());
    fields.insert(http::header::HOST, host.map_err(|_| refused("no such host"))?);
    let transport = Transport::of(&uri);
    Ok(Request {
        method,
        target: uri,
        version: Version::HTTP_11,
        fields,
        body: RequestBody::empty(),
        peer: Peer { address: None, local: None, transport },
        informational: None,
    })
}
