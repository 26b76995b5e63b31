//! The calls with which the process goes on under another configuration, or as another process.

use std::path::PathBuf;
use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{Life, body, reply};
use crate::answer::Answer;
use crate::config::Listen;
use crate::config::text::{self, in_time};
use crate::reload::{self, NotReloaded, Reloaded};
use crate::server::RequestBody;
use crate::succession::{WITHIN, WITHIN_MAX, Wish};

/// What is wanted of an upgrade, as it is said.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Another program than the one that runs.
    binary: Option<PathBuf>,
    /// How long it may take to get ready.
    within: Option<String>,
}

/// Reads the configuration file again.
pub(super) async fn reload(life: &Life) -> Answer {
    let Some(reloader) = &life.reloader else {
        return reply::error(StatusCode::NOT_FOUND, "this node reads no configuration file");
    };
    match reload::behind(reloader).await {
        Ok(Reloaded { routes, moved }) => {
            let told = |places: &[Listen]| places.iter().map(Listen::to_string).collect::<Vec<_>>();
            let (opened, left) = (told(&moved.opened), told(&moved.left));
            let value = json!({ "routes": routes, "opened": opened, "left": left });
            reply::value(StatusCode::OK, &value)
        }
        Err(why) => refused(&why),
    }
}

fn refused(why: &NotReloaded) -> Answer {
    let said = why.to_string();
    match why {
        NotReloaded::NoFile => reply::error(StatusCode::NOT_FOUND, &said),
        NotReloaded::Fixed(settings) => {
            reply::value(StatusCode::CONFLICT, &json!({ "error": said, "settings": settings }))
        }
        NotReloaded::Problems(problems) => {
            // Its text is an array, made a moment ago.
            let list: serde_json::Value =
                serde_json::from_str(&problems.json()).unwrap_or_default();
            let value = json!({ "error": said, "problems": list });
            reply::value(StatusCode::UNPROCESSABLE_ENTITY, &value)
        }
        NotReloaded::Unusable(_) => reply::error(StatusCode::UNPROCESSABLE_ENTITY, &said),
    }
}

/// Starts a successor, and answers when it serves.
pub(super) async fn upgrade(life: &Life, body: RequestBody) -> Answer {
    let Some(upgrader) = &life.upgrader else {
        return reply::error(StatusCode::NOT_FOUND, "this node cannot be succeeded");
    };
    let wanted: Wanted = if body.is_empty() {
        Wanted::default()
    } else {
        match body::json(body).await {
            Ok(wanted) => wanted,
            Err(unread) => return reply::unread(&unread),
        }
    };
    let wish = match wish(wanted) {
        Ok(wish) => wish,
        Err(words) => return reply::error(StatusCode::UNPROCESSABLE_ENTITY, &words),
    };
    let upgrader = Arc::clone(upgrader);
    let upgrading = tokio::task::spawn_blocking(move || upgrader.upgrade(&wish)).await;
    match upgrading.unwrap_or_else(|lost| Err(lost.to_string())) {
        Ok(pid) => reply::value(StatusCode::OK, &json!({ "pid": pid })),
        Err(why) => reply::error(StatusCode::CONFLICT, &why),
    }
}

fn wish(wanted: Wanted) -> Result<Wish, String> {
    let within = match &wanted.within {
        None => WITHIN,
        Some(said) => {
            text::span(said).ok().filter(|span| *span <= WITHIN_MAX).ok_or_else(|| {
                let max = in_time(WITHIN_MAX);
                format!(
                    "cannot wait for `{said}`: it is not a time span of at most {max}, such as 60s"
                )
            })?
        }
    };
    Ok(Wish { binary: wanted.binary, within })
}
