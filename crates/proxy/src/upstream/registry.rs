//! The members that the upstreams of this process lead to, so that what leads to the same place
//! shares one pool: a hundred thousand hosts before one backend have one, and a route that changes
//! keeps its connections.
//!
//! It keeps nothing alive: a member that no upstream leads to any more leaves by itself.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;

use super::UpstreamError;
use super::connect::Connect;
use super::member::{Member, MemberTerms};
use super::tls::Tls;
use crate::config::{MemberSettings, UpstreamSettings};

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::default);

/// Members by the hash of their terms. As many as upstreams have, and no bound of its own.
#[derive(Default)]
pub(super) struct Registry {
    hasher: RandomState,
    members: Mutex<HashMap<u64, Vec<Weak<Member>>>>,
}

/// The member with these settings: one that is there already, or a new one.
pub(super) fn member(
    settings: &MemberSettings,
    upstream: &UpstreamSettings,
    tls: Option<&Tls>,
    connect: &Arc<dyn Connect>,
) -> Result<Arc<Member>, UpstreamError> {
    let terms = MemberTerms::of(settings, upstream, tls, connect);
    REGISTRY.member(terms, |terms| Member::new(terms, settings, tls, connect.clone()))
}

/// Forgets a member that has ended.
pub(super) fn forget(terms: &MemberTerms) {
    REGISTRY.forget(terms);
}

impl Registry {
    fn member(
        &self,
        terms: MemberTerms,
        make: impl FnOnce(MemberTerms) -> Result<Member, UpstreamError>,
    ) -> Result<Arc<Member>, UpstreamError> {
        let hash = self.hasher.hash_one(&terms);
        // Let go behind the lock, for the last to let go of a member comes to `forget`.
        let mut others = Vec::new();
        let mut members = self.members.lock();
        let alike = members.get(&hash).into_iter().flatten().filter_map(Weak::upgrade);
        for member in alike {
            if member.terms == terms {
                return Ok(member);
            }
            others.push(member);
        }
        let member = Arc::new(make(terms)?);
        members.entry(hash).or_default().push(Arc::downgrade(&member));
        drop(members);
        drop(others);
        Ok(member)
    }

    fn forget(&self, terms: &MemberTerms) {
        let hash = self.hasher.hash_one(terms);
        let mut members = self.members.lock();
        let Some(alike) = members.get_mut(&hash) else { return };
        alike.retain(|member| member.strong_count() > 0);
        if alike.is_empty() {
            members.remove(&hash);
        }
        if members.capacity() > 4 * members.len().max(1024) {
            members.shrink_to_fit();
        }
    }
}
