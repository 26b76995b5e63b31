//! The reasons that the program has beside the rules' own, one word each.

/// Why an exchange went as it did, where no rule of HTTP says it already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Detail {
    /// The client sent the route's skip field and its secret.
    SkipField,
    /// The request asks for an upgrade.
    Upgrade,
    /// The request's body is too large to be digested into the key.
    KeyedBodyTooLarge,
    /// No route is for this host and path.
    NoRoute,
    /// The value in Redis that is to be this host's route means nothing.
    RouteWrong,
    /// So many unknown hosts were asked for that this one was not looked up.
    RouteLookupsLimited,
    /// Where this host is could not be found out.
    RoutesAway,
    /// This host has a route, and there are as many as there may be.
    RoutesFull,
    /// The request came through this gateway before.
    Loop,
    /// The request is not well formed.
    RequestRefused,
    /// The gateway has as many exchanges under way as it may.
    TooManyRequests,
    /// What was stored has been purged.
    Purged,
    /// The key is remembered as not shareable, so nobody waited for anybody.
    HitForMiss,
    /// A fetch that was waited for turned out not to be shareable.
    CollapseDeclined,
    /// A fetch that was waited for took too long.
    CollapseTimeout,
    /// A fetch that was waited for ended without an answer.
    CollapseAbandoned,
    /// The answer is stale because the origin answered with an error.
    StaleIfError,
    /// The answer is stale because the origin cannot be reached.
    StaleWhenUnreachable,
    /// The answer is stale because a refresh failed a moment ago.
    RetryPause,
    /// The origin answered with an error.
    OriginError,
    /// The response's body is longer than what is kept.
    BodyTooLarge,
    /// Nothing stored may answer, and the client wants nothing else.
    OnlyIfCached,
    /// The client's own condition is one that only the origin may judge.
    Precondition,
    /// The origin broke off in the middle of its response.
    BodyBroken,
    /// The request came in the clear and is to come by https.
    ToHttps,
    /// An authority asked whether the host leads here.
    AcmeChallenge,
    /// The gateway itself failed.
    OwnFailure,
}

impl Detail {
    /// Every one.
    pub const ALL: [Detail; 27] = [
        Detail::SkipField,
        Detail::Upgrade,
        Detail::KeyedBodyTooLarge,
        Detail::NoRoute,
        Detail::RouteWrong,
        Detail::RouteLookupsLimited,
        Detail::RoutesAway,
        Detail::RoutesFull,
        Detail::Loop,
        Detail::RequestRefused,
        Detail::TooManyRequests,
        Detail::Purged,
        Detail::HitForMiss,
        Detail::CollapseDeclined,
        Detail::CollapseTimeout,
        Detail::CollapseAbandoned,
        Detail::StaleIfError,
        Detail::StaleWhenUnreachable,
        Detail::RetryPause,
        Detail::OriginError,
        Detail::BodyTooLarge,
        Detail::OnlyIfCached,
        Detail::Precondition,
        Detail::BodyBroken,
        Detail::ToHttps,
        Detail::AcmeChallenge,
        Detail::OwnFailure,
    ];

    /// The word in `Cache-Status`, logs and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Detail::SkipField => "skip-field",
            Detail::Upgrade => "upgrade",
            Detail::KeyedBodyTooLarge => "keyed-body-too-large",
            Detail::NoRoute => "no-route",
            Detail::RouteWrong => "route-wrong",
            Detail::RouteLookupsLimited => "route-lookups-limited",
            Detail::RoutesAway => "routes-away",
            Detail::RoutesFull => "routes-full",
            Detail::Loop => "loop",
            Detail::RequestRefused => "request-refused",
            Detail::TooManyRequests => "too-many-requests",
            Detail::Purged => "purged",
            Detail::HitForMiss => "hit-for-miss",
            Detail::CollapseDeclined => "collapse-declined",
            Detail::CollapseTimeout => "collapse-timeout",
            Detail::CollapseAbandoned => "collapse-abandoned",
            Detail::StaleIfError => "stale-if-error",
            Detail::StaleWhenUnreachable => "stale-when-unreachable",
            Detail::RetryPause => "retry-pause",
            Detail::OriginError => "origin-error",
            Detail::BodyTooLarge => "body-too-large",
            Detail::OnlyIfCached => "only-if-cached",
            Detail::Precondition => "precondition",
            Detail::BodyBroken => "body-broken",
            Detail::ToHttps => "to-https",
            Detail::AcmeChallenge => "acme-challenge",
            Detail::OwnFailure => "own-failure",
        }
    }
}
