//! How clients reach a gateway before HTTP begins: where they are accepted, who says for whom he speaks,
//! and by which TLS they are secured. Made whole of a configuration, and another of the next one.

use std::sync::Arc;

use crate::config::defaults::LISTEN;
use crate::config::{Config, Listen, text};
use crate::server::Wanted;
use crate::server::proxy_protocol::Spokesmen;
use crate::tls::Tls;

/// What a configuration wants of the client side, ready to be bound.
pub struct Front {
    /// Where, and how connections begin there.
    pub wanted: Wanted,
    /// The TLS of clients, if there is any.
    pub tls: Option<Arc<Tls>>,
}

impl Front {
    /// Reads the certificates that the configuration names, or says which cannot be used and why.
    /// systemd has opened the sockets in `activated`, whatever the configuration says. Reads files.
    pub fn open(config: &Config, activated: &[Listen]) -> Result<Self, String> {
        Front::succeeding(None, config, activated)
    }

    /// The same in the place of what has this TLS: of that, what is wanted as before goes on.
    pub fn succeeding(
        before: Option<&Arc<Tls>>,
        config: &Config,
        activated: &[Listen],
    ) -> Result<Self, String> {
        let opened = config.tls.is_on().then(|| match before {
            Some(before) => before.succeeded_by(&config.tls),
            None => Tls::open(&config.tls),
        });
        let tls = opened.transpose().map_err(|cause| cause.to_string())?;
        if let Some(tls) = &tls {
            tls.open_store().map_err(|cause| cause.to_string())?;
        }
        let places = places(config, activated, tls.as_ref());
        let spokesmen = Spokesmen::of(&config.proxy_protocol).map(Arc::new);
        Ok(Front { wanted: Wanted { places, spokesmen }, tls })
    }
}

/// Where clients are accepted, in the clear and by TLS: as the configuration says, and where systemd
/// has opened a socket. The default is what nobody said.
fn places(
    config: &Config,
    activated: &[Listen],
    tls: Option<&Arc<Tls>>,
) -> Vec<(Listen, Option<Arc<Tls>>)> {
    let is_default = text::listen(LISTEN).is_ok_and(|default| config.listen == [default]);
    let mut all = match is_default && !activated.is_empty() {
        true => Vec::new(),
        false => config.listen.clone(),
    };
    for place in activated {
        if !all.contains(place) && !config.tls.listen.contains(place) {
            all.push(place.clone());
        }
    }
    let plain = all.into_iter().map(|place| (place, None));
    let secured = config.tls.listen.iter().map(|place| (place.clone(), tls.cloned()));
    plain.chain(secured).collect()
}
