//! Which of the fields that are sought in every request are there at all, found in one walk.
//!
//! Most requests have none of them, and a search of the map for each would cost more than all the rest of
//! reading a request.

use http::header::HeaderMap;

/// A field that is sought in every request, and found in few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// `Authorization`.
    Authorization,
    /// `Cache-Control` or `Pragma`.
    Directives,
    /// `If-Match` and its kin, but for `If-Range`, which says nothing without `Range`.
    Condition,
    /// `Connection`.
    Connection,
    /// `Range`.
    Range,
    /// `TE`.
    Te,
    /// `Upgrade`.
    Upgrade,
    /// `Via` or `CDN-Loop`: a gateway has passed the request on already.
    Hops,
}

/// Those of a request. A field that is not among them is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Present(u8);

impl Present {
    /// Of these fields.
    pub fn of(fields: &HeaderMap) -> Self {
        let sought = fields.keys().filter_map(|name| Sought::of(name.as_str()));
        Present(sought.fold(0, |all, field| all | field.bit()))
    }

    /// Whether there is any line of it.
    pub fn has(self, field: Sought) -> bool {
        self.0 & field.bit() != 0
    }
}

impl Sought {
    fn of(name: &str) -> Option<Self> {
        match name {
            "authorization" => Some(Sought::Authorization),
            "cache-control" | "pragma" => Some(Sought::Directives),
            "if-match" | "if-none-match" | "if-modified-since" | "if-unmodified-since" => {
                Some(Sought::Condition)
            }
            "connection" => Some(Sought::Connection),
            "range" => Some(Sought::Range),
            "te" => Some(Sought::Te),
            "upgrade" => Some(Sought::Upgrade),
            "via" | "cdn-loop" => Some(Sought::Hops),
            _ => None,
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const ALL: [(&str, Sought); 13] = [
        ("authorization", Sought::Authorization),
        ("cache-control", Sought::Directives),
        ("pragma", Sought::Directives),
        ("if-match", Sought::Condition),
        ("if-none-match", Sought::Condition),
        ("if-modified-since", Sought::Condition),
        ("if-unmodified-since", Sought::Condition),
        ("connection", Sought::Connection),
        ("range", Sought::Range),
        ("te", Sought::Te),
        ("upgrade", Sought::Upgrade),
        ("via", Sought::Hops),
        ("cdn-loop", Sought::Hops),
    ];

    #[test]
    fn what_is_present_is_what_a_search_for_each_would_find() {
        for (name, field) in ALL {
            let mut fields = HeaderMap::new();
            fields.insert("host", HeaderValue::from_static("a"));
            fields.insert("x-range", HeaderValue::from_static("a"));
            assert_eq!(Present::of(&fields), Present::default());
            fields.insert(HeaderName::from_static(name), HeaderValue::from_static("a"));
            let present = Present::of(&fields);
            for (_, other) in ALL {
                assert_eq!(present.has(other), other == field, "{other:?} for {name}");
            }
        }
    }
}
