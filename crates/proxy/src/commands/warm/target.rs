//! A URL to be asked for, and how it is asked of the gateway. Pure.

use http::{HeaderValue, Uri};

/// Bytes of a URL; the gateway takes no longer ones as it comes.
pub(super) const URL_BYTES_MAX: usize = 16 << 10;

/// How clients ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// A URL, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Its scheme.
    pub(super) scheme: Scheme,
    /// Its host without a port: the name in the certificate.
    pub(super) name: String,
    /// What goes into `Host`.
    pub(super) host: HeaderValue,
    /// Path and query.
    pub(super) path: String,
    /// As it was written.
    pub(super) url: String,
}

impl Target {
    /// Of a URL; why it is none that can be asked for otherwise. Its fragment is left out.
    pub(super) fn of(url: &str) -> Result<Self, &'static str> {
        let url = url.split('#').next().unwrap_or(url);
        if url.len() > URL_BYTES_MAX {
            return Err("it is longer than 16 KiB");
        }
        let uri: Uri = encoded(url).parse().map_err(|_| "it is no URL")?;
        let (scheme, default) = match uri.scheme_str() {
            Some("http") => (Scheme::Http, 80),
            Some("https") => (Scheme::Https, 443),
            Some(_) => return Err("its scheme is neither http nor https"),
            None => return Err("it has no scheme and host"),
        };
        let authority = uri.authority().ok_or("it has no host")?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err("its host is no name and no address");
        }
        let host = match authority.port_u16() {
            Some(port) if port != default => format!("{}:{port}", authority.host()),
            Some(_) | None => authority.host().to_owned(),
        };
        let host = HeaderValue::try_from(host).map_err(|_| "its host is no name")?;
        let path = uri.path_and_query().map_or("/", |it| it.as_str()).to_owned();
        let name = authority.host().trim_matches(['[', ']']).to_owned();
        Ok(Target { scheme, name, host, path, url: url.to_owned() })
    }
}

/// What no URL may hold, and people write in lists all the same, is percent-encoded.
fn encoded(url: &str) -> String {
    let mut text = String::with_capacity(url.len());
    for byte in url.bytes() {
        match byte {
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0..=0x20 | 0x7f.. => {
                text += &format!("%{byte:02X}");
            }
            byte => text.push(char::from(byte)),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_asked_for_under_its_own_host() {
        let check = |url: &str, host: &str, path: &str| {
            let target = Target::of(url).unwrap();
            assert_eq!((target.host.to_str().unwrap(), &*target.path), (host, path), "{url}");
        };
        check("https://shop.example.com/a?b=c#d", "shop.example.com", "/a?b=c");
        check("https://shop.example.com:443", "shop.example.com", "/");
        check("http://shop.example.com:8080/", "shop.example.com:8080", "/");
        check("http://[::1]:8080/a", "[::1]:8080", "/a");
        check("https://a.example/f\u{fc}r", "a.example", "/f%C3%BCr");
        check("https://a.example/a b", "a.example", "/a%20b");
        check("https://a.example/a\r\nHost: b", "a.example", "/a%0D%0AHost:%20b");
    }

    #[test]
    fn what_is_no_url_is_refused() {
        let long = format!("http://a/{}", "x".repeat(URL_BYTES_MAX));
        for url in
            ["", "/a", "a.example/b", "ftp://a/b", "http://", "http:///a", "http://u:p@a/", &long]
        {
            assert!(Target::of(url).is_err(), "{url}");
        }
    }
}
