//! A route and the connections to where it leads.
//!
//! Of 100 000 routes in Redis most say no more than an address: they share one [`Route`] and keep the
//! address beside it, and there are no connections, no pool and no upstream before a first request.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

use forebay_semantics::key::{Part, TargetParts};
use http::{HeaderMap, Method};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::config::{MemberSettings, Route, UpstreamSettings};
use crate::failure::{FailureKind, FetchFailure};
use crate::upstream::{Connect, Upstream, UpstreamError};

/// Dead upstreams among the shared ones are looked for when there are so many, and at each doubling.
const SWEPT_FROM: usize = 1024;

/// How the origins of an upstream are reached.
pub type Connects = dyn Fn(&UpstreamSettings) -> Arc<dyn Connect> + Send + Sync;

/// A route and the connections to where it leads.
pub struct Lane {
    /// The route. Many lanes may share it; where one leads is then not in it.
    pub route: Arc<Route>,
    /// Its name, shared with the log.
    pub name: Arc<str>,
    /// Where it leads, if not where the route says.
    pub(crate) member: Option<MemberSettings>,
    upstream: OnceLock<Arc<Upstream>>,
    upstreams: Arc<Upstreams>,
}

impl AsRef<Route> for Lane {
    fn as_ref(&self) -> &Route {
        &self.route
    }
}

impl Lane {
    /// The lane of a route that nobody shares, ready.
    pub fn ready(route: &Route, upstreams: &Arc<Upstreams>) -> Result<Arc<Lane>, UpstreamError> {
        let upstream = Upstream::new(&route.upstream, (upstreams.connects)(&route.upstream))?;
        let (name, route) = (Arc::from(route.name.as_str()), Arc::new(route.clone()));
        let lane = Lane::new(route, name, None, upstreams);
        // It is new, so the place is free.
        let _ = lane.upstream.set(upstream);
        Ok(Arc::new(lane))
    }

    /// The lane of a route that takes the place of another: members that this one has already keep
    /// their connections and their standing.
    pub fn succeeding(
        route: &Route,
        upstreams: &Arc<Upstreams>,
        before: &Lane,
    ) -> Result<Arc<Lane>, UpstreamError> {
        let Some(old) = before.upstream.get() else { return Lane::ready(route, upstreams) };
        let connect = (upstreams.connects)(&route.upstream);
        let upstream = old.succeeded_by(&route.upstream, connect)?;
        let (name, route) = (Arc::from(route.name.as_str()), Arc::new(route.clone()));
        let lane = Lane::new(route, name, None, upstreams);
        // It is new, so the place is free.
        let _ = lane.upstream.set(upstream);
        Ok(Arc::new(lane))
    }

    /// A lane that makes its upstream when it is first used, or takes that of another lane which
    /// leads to the same members in the same way.
    pub fn lazy(
        route: Arc<Route>,
        name: Arc<str>,
        member: Option<MemberSettings>,
        upstreams: &Arc<Upstreams>,
    ) -> Arc<Lane> {
        let lane = Lane::new(route, name, member, upstreams);
        // Before the lane that this one replaces is dropped, and with it the connections.
        if let Some(upstream) = upstreams.alive(|| lane.settings()) {
            let _ = lane.upstream.set(upstream);
        }
        Arc::new(lane)
    }

    fn new(
        route: Arc<Route>,
        name: Arc<str>,
        member: Option<MemberSettings>,
        upstreams: &Arc<Upstreams>,
    ) -> Lane {
        let upstreams = Arc::clone(upstreams);
        Lane { route, name, member, upstream: OnceLock::new(), upstreams }
    }

    /// Where it leads.
    pub fn upstream(&self) -> Result<&Arc<Upstream>, FetchFailure> {
        if let Some(upstream) = self.upstream.get() {
            return Ok(upstream);
        }
        let made = self.upstreams.shared(&self.settings());
        let made = made.map_err(|why| FetchFailure::because(FailureKind::Tls, &self.name, why))?;
        Ok(self.upstream.get_or_init(|| made))
    }

    fn settings(&self) -> UpstreamSettings {
        let mut settings = self.route.upstream.clone();
        settings.members.extend(self.member.clone());
        settings
    }

    /// Appends the primary key of a request. Where the template leaves the path out, the route's
    /// prefix stands in, so that two routes of one host never share a key.
    pub fn write_key(
        &self,
        target: &TargetParts<'_>,
        method: &Method,
        fields: &HeaderMap,
        body_digest: Option<&[u8; 32]>,
        out: &mut Vec<u8>,
    ) {
        self.route.key.key(target, method, fields, body_digest, out);
        if !self.route.key.parts.contains(&Part::Path) {
            out.extend_from_slice(self.route.path_prefix.as_bytes());
        }
    }
}

/// The upstreams that lanes share: hosts which lead to the same members in the same way share their
/// connections, and their bounds. Who uses one keeps it; it ends with the last lane.
pub struct Upstreams {
    connects: Arc<Connects>,
    shared: Mutex<Shared>,
}

struct Shared {
    by_settings: HashMap<[u8; 32], Weak<Upstream>>,
    sweep_at: usize,
}

impl Upstreams {
    /// None yet; their origins are reached like this.
    pub fn new(connects: Arc<Connects>) -> Arc<Self> {
        let shared = Shared { by_settings: HashMap::new(), sweep_at: SWEPT_FROM };
        Arc::new(Upstreams { connects, shared: Mutex::new(shared) })
    }

    fn alive(&self, settings: impl FnOnce() -> UpstreamSettings) -> Option<Arc<Upstream>> {
        let shared = self.shared.lock();
        if shared.by_settings.is_empty() {
            return None;
        }
        shared.by_settings.get(&digest(&settings()))?.upgrade()
    }

    fn shared(&self, settings: &UpstreamSettings) -> Result<Arc<Upstream>, UpstreamError> {
        let digest = digest(settings);
        let alive = |shared: &Shared| shared.by_settings.get(&digest).and_then(Weak::upgrade);
        if let Some(upstream) = alive(&self.shared.lock()) {
            return Ok(upstream);
        }
        // Not under the lock: certificates may have to be read.
        let made = Upstream::new(settings, (self.connects)(settings))?;
        let mut shared = self.shared.lock();
        if let Some(quicker) = alive(&shared) {
            return Ok(quicker);
        }
        shared.by_settings.insert(digest, Arc::downgrade(&made));
        if shared.by_settings.len() >= shared.sweep_at {
            shared.by_settings.retain(|_, upstream| upstream.strong_count() > 0);
            shared.sweep_at = (shared.by_settings.len() * 2).max(SWEPT_FROM);
        }
        Ok(made)
    }
}

/// All that is said of an upstream, in short. Its debug form names every field there is.
fn digest(settings: &UpstreamSettings) -> [u8; 32] {
    Sha256::digest(format!("{settings:?}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::text;
    use crate::upstream::Network;

    fn upstreams() -> Arc<Upstreams> {
        Upstreams::new(Arc::new(|settings: &UpstreamSettings| -> Arc<dyn Connect> {
            Arc::new(Network::new(settings.resolve_interval, Arc::default()))
        }))
    }

    fn lane(host: &str, to: &str, upstreams: &Arc<Upstreams>) -> Arc<Lane> {
        let route = Arc::new(Route::everything_to(Vec::new(), 1 << 20));
        Lane::lazy(route, host.into(), Some(text::member(to).unwrap()), upstreams)
    }

    #[test]
    fn hosts_that_lead_to_the_same_member_share_its_connections() {
        let upstreams = upstreams();
        let a = lane("a", "10.0.0.1:80", &upstreams);
        let same = lane("b", "http://10.0.0.1", &upstreams);
        let other = lane("c", "10.0.0.2:80", &upstreams);
        assert!(Arc::ptr_eq(a.upstream().unwrap(), same.upstream().unwrap()));
        assert!(!Arc::ptr_eq(a.upstream().unwrap(), other.upstream().unwrap()));
    }

    #[test]
    fn a_lane_that_replaces_another_keeps_its_connections() {
        let upstreams = upstreams();
        let old = lane("a", "10.0.0.1:80", &upstreams);
        let upstream = Arc::clone(old.upstream().unwrap());
        let new = lane("a", "10.0.0.1:80", &upstreams);
        drop(old);
        assert!(Arc::ptr_eq(&upstream, new.upstream().unwrap()));
    }

    #[test]
    fn what_no_lane_uses_is_forgotten() {
        let upstreams = upstreams();
        for number in 0..3 * SWEPT_FROM {
            let to = format!("10.0.{}.{}:80", number / 250, number % 250);
            lane("a", &to, &upstreams).upstream().unwrap();
        }
        assert!(upstreams.shared.lock().by_settings.len() <= SWEPT_FROM);
    }
}
