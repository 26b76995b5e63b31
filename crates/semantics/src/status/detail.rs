//! The reasons that the program has beside the rules' own, one word each.

/// Why an exchange went as it did, where no rule of HTTP says it already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Detail {
    /// The route says not to look in the cache.
    RouteSaysBypass,
    /// The client sent the route's skip field and its secret.
    SkipField,
    /// The method is not one that the route keeps responses to.
    MethodNotListed,
    /// The request asks for an upgrade.
    Upgrade,
    /// The request's body is too large to be digested into the key.
    KeyedBodyTooLarge,
    /// No route is for this host and path.
    NoRoute,
    /// The request came through this gateway before.
    Loop,
    /// The request is not well formed.
    RequestRefused,
    /// The gateway has as many exchanges under way as it may.
    TooManyRequests,
    /// The key is remembered as not shareable, so nobody waited for anybody.
    HitForMiss,
    /// A fetch that was waited for turned out not to be shareable.
    CollapseDeclined,
    /// A fetch that was waited for took too long.
    CollapseTimeout,
    /// A fetch that was waited for ended without an answer.
    CollapseAbandoned,
    /// The answer is stale and is refreshed behind it.
    StaleWhileRevalidate,
    /// The answer is stale because the origin answered with an error.
    StaleIfError,
    /// The answer is stale because the origin cannot be reached.
    StaleWhenUnreachable,
    /// The answer is stale because a refresh failed a moment ago.
    RetryPause,
    /// The answer is fresh and is refreshed behind it before it expires.
    EarlyRefresh,
    /// The origin said that what is stored is still good.
    Revalidated,
    /// The origin cannot be reached.
    OriginUnreachable,
    /// The origin took too long.
    OriginTimeout,
    /// The origin broke off, or sent what is no HTTP.
    OriginBroken,
    /// The origin answered with an error.
    OriginError,
    /// As many fetches from this upstream are under way or waiting as may be.
    UpstreamBusy,
    /// The response's body is longer than what is kept.
    BodyTooLarge,
    /// The response's body did not end properly.
    BodyIncomplete,
    /// The key has as many variants as it may.
    TooManyVariants,
    /// The memory tier had no room.
    MemoryFull,
    /// The gateway itself failed.
    OwnFailure,
}

impl Detail {
    /// Every one.
    pub const ALL: [Detail; 29] = [
        Detail::RouteSaysBypass,
        Detail::SkipField,
        Detail::MethodNotListed,
        Detail::Upgrade,
        Detail::KeyedBodyTooLarge,
        Detail::NoRoute,
        Detail::Loop,
        Detail::RequestRefused,
        Detail::TooManyRequests,
        Detail::HitForMiss,
        Detail::CollapseDeclined,
        Detail::CollapseTimeout,
        Detail::CollapseAbandoned,
        Detail::StaleWhileRevalidate,
        Detail::StaleIfError,
        Detail::StaleWhenUnreachable,
        Detail::RetryPause,
        Detail::EarlyRefresh,
        Detail::Revalidated,
        Detail::OriginUnreachable,
        Detail::OriginTimeout,
        Detail::OriginBroken,
        Detail::OriginError,
        Detail::UpstreamBusy,
        Detail::BodyTooLarge,
        Detail::BodyIncomplete,
        Detail::TooManyVariants,
        Detail::MemoryFull,
        Detail::OwnFailure,
    ];

    /// The word in `Cache-Status`, logs and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Detail::RouteSaysBypass => "route-says-bypass",
            Detail::SkipField => "skip-field",
            Detail::MethodNotListed => "method-not-listed",
            Detail::Upgrade => "upgrade",
            Detail::KeyedBodyTooLarge => "keyed-body-too-large",
            Detail::NoRoute => "no-route",
            Detail::Loop => "loop",
            Detail::RequestRefused => "request-refused",
            Detail::TooManyRequests => "too-many-requests",
            Detail::HitForMiss => "hit-for-miss",
            Detail::CollapseDeclined => "collapse-declined",
            Detail::CollapseTimeout => "collapse-timeout",
            Detail::CollapseAbandoned => "collapse-abandoned",
            Detail::StaleWhileRevalidate => "stale-while-revalidate",
            Detail::StaleIfError => "stale-if-error",
            Detail::StaleWhenUnreachable => "stale-when-unreachable",
            Detail::RetryPause => "retry-pause",
            Detail::EarlyRefresh => "early-refresh",
            Detail::Revalidated => "revalidated",
            Detail::OriginUnreachable => "origin-unreachable",
            Detail::OriginTimeout => "origin-timeout",
            Detail::OriginBroken => "origin-broken",
            Detail::OriginError => "origin-error",
            Detail::UpstreamBusy => "upstream-busy",
            Detail::BodyTooLarge => "body-too-large",
            Detail::BodyIncomplete => "body-incomplete",
            Detail::TooManyVariants => "too-many-variants",
            Detail::MemoryFull => "memory-full",
            Detail::OwnFailure => "own-failure",
        }
    }
}
