//! By which names a stored response can be purged: its host, its URL, its paths, its tags.
//!
//! What a purge names and what a stored response belongs to are made here side by side, so that
//! they cannot differ. The scheme is left out: behind a listener that ends TLS a response lies
//! under `http`, and whoever purges it says `https`.

use forebay_cache::mechanism::{Belongs, Group, Prefix};
use forebay_semantics::Tags;
use forebay_semantics::key::KeyTarget;
use forebay_semantics::tags::TagKind;

/// What lies on a host, on any port.
pub fn host(host: &str) -> Group {
    Group::of("host", host.as_bytes())
}

/// What is kept of a URL, whatever else is in its key.
pub fn url(target: &KeyTarget<'_>) -> Group {
    let mut name = authority_name(target);
    for piece in target.resource() {
        name.extend_from_slice(piece);
    }
    Group::of("url", &name)
}

/// What is kept of paths that begin so, on one host and port; `None` if the prefix is too long.
pub fn below(target: &KeyTarget<'_>, path: &[u8]) -> Option<Prefix> {
    Prefix::new(authority(target), path)
}

/// What has a tag, on any host.
pub fn tag(name: &str) -> Group {
    Group::of("tag", name.as_bytes())
}

/// What is in a group of one origin (RFC 9875 section 2).
pub fn group(target: &KeyTarget<'_>, name: &str) -> Group {
    let mut of = authority_name(target);
    of.push(0);
    of.extend_from_slice(name.as_bytes());
    Group::of("group", &of)
}

/// Tells to what a response under this primary key belongs, or one of its variants.
pub fn belongs<'a>(key: &'a [u8], tags: Option<&Tags>, to: &mut Belongs<'a>) {
    let Some(target) = KeyTarget::of(key) else { return };
    to.to(host(target.host));
    to.to(url(&target));
    to.lies_on(authority(&target), target.path);
    for said in tags.into_iter().flat_map(Tags::iter) {
        to.to(tag(said.name));
        if said.kind == TagKind::Group {
            to.to(group(&target, said.name));
        }
    }
}

fn authority(target: &KeyTarget<'_>) -> Group {
    Group::of("authority", &authority_name(target))
}

// No host holds a zero, so what follows cannot pass for a part of it.
fn authority_name(target: &KeyTarget<'_>) -> Vec<u8> {
    let mut name = Vec::with_capacity(128);
    name.extend_from_slice(target.host.as_bytes());
    name.push(0);
    name.extend_from_slice(&target.odd_port().unwrap_or(0).to_be_bytes());
    name
}
