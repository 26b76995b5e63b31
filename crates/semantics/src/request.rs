//! Question 1: may this request look in the cache? (RFC 9111 sections 4 and 5.2.1.)
//!
//! A request is read once, into `Asked`, without an allocation: this is on the path of every hit.

use http::Method;
use http::header::HeaderMap;

use crate::cache_control::{RequestDirectives, Seconds};
use crate::fields::{Present, Sought};
use crate::policy::{ClientDirectives, Policy};
use crate::status::Forward;

/// What the rules need to know of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What its method means to a cache.
    pub method: MethodClass,
    /// Whose response may be personal.
    pub credentials: Credentials,
    /// Whether it asks for ranges.
    pub extent: Extent,
    /// Which of the fields that are sought in every request it came with.
    pub present: Present,
    directives: RequestDirectives,
}

/// What a method means to a cache (RFC 9110 section 9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodClass {
    /// GET.
    Get,
    /// HEAD: answered from what GET stored.
    Head,
    /// One that the operator lists as cacheable.
    Listed,
    /// POST, which is unsafe, but whose response may serve a later GET.
    Post,
    /// Another that is known to be safe.
    Safe,
    /// Any other, and every unknown one.
    Unsafe,
}

/// Whether a request carries `Authorization` (RFC 9111 section 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// No.
    Absent,
    /// Yes.
    Present,
}

/// How much of a representation a request asks for (RFC 9110 section 14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Ranges of it.
    Ranges,
}

/// The answer to question 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Look.
    Look,
    /// Go to the origin without a look.
    Pass(PassReason),
}

/// Why a request does not look in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PassReason {
    /// Its method's responses are not reused.
    Method,
}

impl PassReason {
    /// The word for `Cache-Status`'s `detail`.
    pub fn detail(self) -> &'static str {
        match self {
            PassReason::Method => "method-not-cacheable",
        }
    }

    /// The word for `Cache-Status`'s `fwd`.
    pub fn forward(self) -> Forward {
        match self {
            PassReason::Method => Forward::Method,
        }
    }
}

/// Whether this request may be answered from the cache.
pub fn lookup(asked: &Asked) -> Lookup {
    match asked.method {
        MethodClass::Get | MethodClass::Head | MethodClass::Listed => Lookup::Look,
        MethodClass::Post | MethodClass::Safe | MethodClass::Unsafe => {
            Lookup::Pass(PassReason::Method)
        }
    }
}

impl Asked {
    /// Reads a request.
    pub fn of(method: &Method, fields: &HeaderMap, policy: &Policy) -> Self {
        let present = Present::of(fields);
        let credentials = match present.has(Sought::Authorization) {
            true => Credentials::Present,
            false => Credentials::Absent,
        };
        // Ranges are defined for GET alone (RFC 9110 section 14.2).
        let extent = match *method == Method::GET && present.has(Sought::Range) {
            true => Extent::Ranges,
            false => Extent::Whole,
        };
        let said = match present.has(Sought::Directives) {
            true => RequestDirectives::of(fields),
            false => RequestDirectives::default(),
        };
        let directives = match policy.client_directives {
            ClientDirectives::Obey => said,
            ClientDirectives::Protect => said.protected(),
        };
        Asked { method: class_of(method, policy), credentials, extent, present, directives }
    }

    /// Whether nothing of the response may be stored (RFC 9111 section 5.2.1.5). What is stored
    /// already may still answer: the directive is not about it.
    pub fn forbids_storing(&self) -> bool {
        self.directives.no_store
    }

    /// Whether it must be answered without the origin, or with 504 (RFC 9111 section 5.2.1.7).
    pub fn is_only_if_cached(&self) -> bool {
        self.directives.only_if_cached
    }

    /// Whether the method is unsafe or unknown, so that success spoils what is stored (RFC 9111
    /// section 4.4).
    pub fn is_unsafe(&self) -> bool {
        match self.method {
            MethodClass::Post | MethodClass::Unsafe => true,
            MethodClass::Get | MethodClass::Head | MethodClass::Listed | MethodClass::Safe => false,
        }
    }

    /// The directives that count.
    pub(crate) fn directives(&self) -> &RequestDirectives {
        &self.directives
    }

    /// The oldest age that the client takes.
    pub fn max_age(&self) -> Option<Seconds> {
        self.directives.max_age
    }
}

fn class_of(method: &Method, policy: &Policy) -> MethodClass {
    match *method {
        Method::GET => MethodClass::Get,
        Method::HEAD => MethodClass::Head,
        // The body's digest is in the key of a listed method, so it is as good as a GET.
        _ if policy.listed_methods.contains(method) => MethodClass::Listed,
        Method::POST => MethodClass::Post,
        _ if SAFE.contains(&method.as_str()) => MethodClass::Safe,
        _ => MethodClass::Unsafe,
    }
}

/// Methods that the registry calls safe, beside GET and HEAD.
const SAFE: [&str; 7] = ["OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY", "PRI"];

#[cfg(test)]
mod tests;
