//! What the operator adds to the rules, as the rules are told it.
//!
//! The default adds nothing: then only the RFCs decide.

use std::time::Duration;

use http::{HeaderName, Method, StatusCode};

use crate::tags::TagField;

/// The fields that name tags where nothing else is said.
const TAG_FIELDS: [&str; 3] = ["surrogate-key", "cache-tag", "cache-groups"];

/// An operator's wishes for one route.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Which of the client's request directives count.
    pub client_directives: ClientDirectives,
    /// Targeted fields that go before `Cache-Control`, first one that parses wins (RFC 9213).
    pub targeted_fields: Vec<HeaderName>,
    /// Lifetimes by status where the origin says nothing explicit; the first that covers wins.
    pub lifetimes: Vec<StatusLifetime>,
    /// What is assumed where nobody says anything.
    pub heuristic: Heuristic,
    /// The window in which a stale response may be served while it is refreshed, where the
    /// response itself does not say (RFC 5861 section 3).
    pub stale_while_revalidate: Duration,
    /// The window in which a stale response may be served in place of an error, where the response
    /// itself does not say (RFC 5861 section 4).
    pub stale_if_error: Duration,
    /// The window in which a stale response may be served when the origin cannot be reached at
    /// all, where the response does not forbid it (RFC 9111 section 4.2.4).
    pub stale_when_unreachable: Duration,
    /// Whether a response with `Set-Cookie` is kept without `public` or `s-maxage`.
    pub set_cookie: SetCookie,
    /// Methods beside GET and HEAD whose responses may be kept under a key that holds the request
    /// body's digest (P1.10).
    pub listed_methods: Vec<Method>,
    /// Response fields that name tags.
    pub tag_fields: Vec<TagField>,
    /// Whether clients see these fields.
    pub shown_tags: ShownTags,
    /// How long a stored response with a validator is kept beyond all windows, so that it can be
    /// revalidated.
    pub keep: Duration,
}

/// Which of the client's directives count. `only-if-cached` and `no-store` always do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientDirectives {
    /// `no-cache`, `max-age`, `min-fresh`, `max-stale` and `Pragma` are ignored, so that a reload
    /// button cannot flood an origin.
    Protect,
    /// All count, as RFC 9111 section 5.2.1 describes.
    Obey,
}

/// A lifetime for statuses of which the origin says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusLifetime {
    /// The first status that it covers.
    pub first: StatusCode,
    /// The last status that it covers.
    pub last: StatusCode,
    /// The lifetime; zero means: do not keep.
    pub lifetime: Duration,
}

/// What is assumed where the origin gives no explicit lifetime (RFC 9111 section 4.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heuristic {
    /// Nothing: such a response is not kept.
    Off,
    /// A tenth of the time since it was last modified, up to a bound.
    TenthOfAge {
        /// The bound.
        lifetime_max: Duration,
    },
}

/// Whether clients see the fields that name tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownTags {
    /// They do not.
    Stripped,
    /// They do, as another cache on the way may want.
    PassedOn,
}

/// What is done with a response that sets a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetCookie {
    /// Not kept, unless it says `public` or `s-maxage`.
    KeepOut,
    /// Kept like any other.
    Allow,
}

impl Policy {
    /// Whether this is a field that clients do not see, since it names tags.
    pub fn strips(&self, name: &HeaderName) -> bool {
        self.shown_tags == ShownTags::Stripped
            && self.tag_fields.iter().any(|field| field.name == name)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            client_directives: ClientDirectives::Protect,
            targeted_fields: vec![HeaderName::from_static("cdn-cache-control")],
            lifetimes: Vec::new(),
            heuristic: Heuristic::TenthOfAge { lifetime_max: Duration::from_secs(24 * 3600) },
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            stale_when_unreachable: Duration::from_secs(3600),
            set_cookie: SetCookie::KeepOut,
            listed_methods: Vec::new(),
            tag_fields: TAG_FIELDS.map(HeaderName::from_static).map(TagField::named).into(),
            shown_tags: ShownTags::Stripped,
            keep: Duration::from_secs(3600),
        }
    }
}
