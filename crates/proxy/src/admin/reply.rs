//! What a call says: JSON, or text where something else reads text. Failures are
//! `{"error": "…"}`.

use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::json;

use super::body::{BODY_BYTES_MAX, Unread};
use super::dispatch::Lost;
use crate::answer::{Answer, AnswerBody};
use crate::guard::Forbidden;
use crate::respond;

/// The media type of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Plain text.
    Text,
    /// The text that Prometheus reads.
    Metrics,
    /// One value of JSON.
    Json,
    /// Values of JSON, one a line, as they come.
    Lines,
    /// A page.
    Page,
    /// How a page looks.
    Style,
    /// What a page does.
    Script,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Text => "text/plain; charset=utf-8",
            Kind::Metrics => "text/plain; version=0.0.4; charset=utf-8",
            Kind::Json => "application/json",
            Kind::Lines => "application/x-ndjson",
            Kind::Page => "text/html; charset=utf-8",
            Kind::Style => "text/css; charset=utf-8",
            Kind::Script => "text/javascript; charset=utf-8",
        }
    }
}

/// An answer of this text.
pub(super) fn text(status: StatusCode, kind: Kind, text: String) -> Answer {
    of(status, kind, AnswerBody::Whole(text.into()))
}

/// An answer with this body. No browser may guess that it is a page.
pub(super) fn of(status: StatusCode, kind: Kind, body: AnswerBody) -> Answer {
    let mut answer = respond::own(status, "");
    answer.fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind.name()));
    answer.fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer.body = body;
    answer
}

/// An answer of this value.
pub(super) fn value(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_string(value) {
        Ok(said) => text(status, Kind::Json, said + "\n"),
        Err(cause) => error(StatusCode::INTERNAL_SERVER_ERROR, &cause.to_string()),
    }
}

/// A failure.
pub(super) fn error(status: StatusCode, words: &str) -> Answer {
    text(status, Kind::Json, format!("{}\n", json!({ "error": words })))
}

/// There is no such call.
pub(super) fn lost(lost: &Lost) -> Answer {
    match lost {
        Lost::Path { nearest } => {
            let hint = nearest.unwrap_or("/openapi.json, which names all that can be called");
            error(StatusCode::NOT_FOUND, &format!("nothing is here; try {hint}"))
        }
        Lost::Method { taken } => {
            let taken = taken.join(", ");
            let words = format!("this path takes {taken}");
            let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, &words);
            if let Ok(taken) = HeaderValue::try_from(taken) {
                answer.fields.insert(header::ALLOW, taken);
            }
            answer
        }
        Lost::Encoding => {
            error(StatusCode::BAD_REQUEST, "the path is not the percent-encoding of a text")
        }
    }
}

/// The call may not be made.
pub(super) fn forbidden(forbidden: Forbidden) -> Answer {
    let status = match forbidden {
        Forbidden::Origin | Forbidden::NoToken => StatusCode::FORBIDDEN,
        Forbidden::Host => StatusCode::MISDIRECTED_REQUEST,
        Forbidden::Token => StatusCode::UNAUTHORIZED,
        Forbidden::Kind => StatusCode::UNSUPPORTED_MEDIA_TYPE,
    };
    let mut answer = error(status, forbidden.words());
    if forbidden == Forbidden::Token {
        answer.fields.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

/// The call's body is none.
pub(super) fn unread(unread: &Unread) -> Answer {
    match unread {
        Unread::TooLong => {
            let words = format!("the body has more than {BODY_BYTES_MAX} bytes");
            error(StatusCode::PAYLOAD_TOO_LARGE, &words)
        }
        Unread::Cut => error(StatusCode::BAD_REQUEST, "the body broke off"),
        Unread::Malformed(why) => {
            error(StatusCode::BAD_REQUEST, &format!("the body is not what is expected: {why}"))
        }
    }
}
