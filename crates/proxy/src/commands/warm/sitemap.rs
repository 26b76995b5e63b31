//! What a sitemap says (sitemaps.org, protocol 0.9): URLs, or further sitemaps. Pure.
//!
//! Whoever wrote it is a stranger. It is read as it comes, within bounds; what it might declare is not
//! expanded, and a document type is refused.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use super::target::URL_BYTES_MAX;

/// Bytes of one sitemap, uncompressed (the protocol's own bound).
pub(super) const SITEMAP_BYTES_MAX: usize = 50 << 20;

/// Elements within each other.
const DEPTH_MAX: usize = 32;

/// What begins a compressed one (RFC 1952 section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What one sitemap says, at most as much as was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sitemap {
    /// URLs of pages.
    Pages(Vec<String>),
    /// URLs of sitemaps.
    Index(Vec<String>),
}

/// Reads one, at most so many URLs of it. Compressed it may be, and a plain list of lines.
pub(super) fn read(bytes: &[u8], max: usize) -> Result<Sitemap, String> {
    let unpacked;
    let text = match bytes.starts_with(&GZIP) {
        true => {
            unpacked = unpack(bytes)?;
            &unpacked
        }
        false => bytes,
    };
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let begin = text.iter().find(|byte| !byte.is_ascii_whitespace());
    match begin {
        Some(b'<') => xml(text, max),
        Some(_) => Ok(Sitemap::Pages(lines(text, max))),
        None => Err("it is empty".to_owned()),
    }
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut unpacked = Vec::new();
    let mut reader = MultiGzDecoder::new(bytes).take(SITEMAP_BYTES_MAX as u64 + 1);
    reader.read_to_end(&mut unpacked).map_err(|cause| format!("it does not unpack: {cause}"))?;
    match unpacked.len() > SITEMAP_BYTES_MAX {
        true => Err("it is longer than 50 MiB unpacked".to_owned()),
        false => Ok(unpacked),
    }
}

/// The lines that are not empty.
pub(super) fn lines(text: &[u8], max: usize) -> Vec<String> {
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    lines.take(max).map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}

/// Where in the document it is read.
struct Place {
    /// The names of the elements that are open, without prefixes.
    open: Vec<Vec<u8>>,
    /// The text of the `loc` that is open.
    text: String,
    pages: Vec<String>,
    sitemaps: Vec<String>,
    max: usize,
}

fn xml(text: &[u8], max: usize) -> Result<Sitemap, String> {
    let mut reader = Reader::from_reader(text);
    let (pages, sitemaps) = (Vec::new(), Vec::new());
    let mut place = Place { open: Vec::new(), text: String::new(), pages, sitemaps, max };
    let mut root = None;
    while !place.is_full() {
        let at = reader.buffer_position();
        let event = reader.read_event();
        let event = event.map_err(|cause| format!("it is no XML at byte {at}: {cause}"))?;
        match event {
            Event::Start(begun) => {
                let name = begun.local_name().as_ref().to_vec();
                root.get_or_insert_with(|| name.clone());
                place.begin(name)?;
            }
            Event::End(_) => place.end(),
            Event::Text(words) => {
                place.say(words.decode().map_err(|why| why.to_string())?.as_ref())?
            }
            Event::CData(words) => {
                place.say(words.decode().map_err(|why| why.to_string())?.as_ref())?
            }
            Event::GeneralRef(named) => place.say(&character(&named)?)?,
            Event::DocType(_) => return Err("it has a document type, which is not read".to_owned()),
            Event::Eof if place.open.is_empty() => break,
            Event::Eof => return Err("it breaks off within an element".to_owned()),
            Event::Empty(begun) => {
                root.get_or_insert_with(|| begun.local_name().as_ref().to_vec());
            }
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
        }
    }
    match root.as_deref() {
        Some(b"urlset") => Ok(Sitemap::Pages(place.pages)),
        Some(b"sitemapindex") => Ok(Sitemap::Index(place.sitemaps)),
        Some(other) => {
            let name: String = String::from_utf8_lossy(other).chars().take(40).collect();
            Err(format!("it is a `{}`, and no sitemap", name.escape_default()))
        }
        None => Err("it has no elements".to_owned()),
    }
}

/// What a reference stands for: one of five, or a character by its number. What a document might
/// declare is none.
fn character(named: &BytesRef<'_>) -> Result<String, String> {
    if let Ok(Some(character)) = named.resolve_char_ref() {
        return Ok(character.to_string());
    }
    let known = match &**named {
        b"amp" => "&",
        b"lt" => "<",
        b"gt" => ">",
        b"quot" => "\"",
        b"apos" => "'",
        other => {
            let name: String = String::from_utf8_lossy(other).chars().take(40).collect();
            return Err(format!("it refers to `{}`, which nobody knows", name.escape_default()));
        }
    };
    Ok(known.to_owned())
}

impl Place {
    fn is_full(&self) -> bool {
        self.pages.len() >= self.max || self.sitemaps.len() >= self.max
    }

    fn begin(&mut self, name: Vec<u8>) -> Result<(), String> {
        if self.open.len() == DEPTH_MAX {
            return Err(format!("its elements lie deeper than {DEPTH_MAX}"));
        }
        self.open.push(name);
        if self.is_at(b"url") || self.is_at(b"sitemap") {
            self.text.clear();
        }
        Ok(())
    }

    /// Within a `loc` of that, and not of an image or whatever else has one.
    fn is_at(&self, of: &[u8]) -> bool {
        matches!(self.open.as_slice(), [_, middle, last] if middle == of && last == b"loc")
    }

    fn say(&mut self, words: &str) -> Result<(), String> {
        if !self.is_at(b"url") && !self.is_at(b"sitemap") {
            return Ok(());
        }
        if self.text.len() + words.len() > 2 * URL_BYTES_MAX {
            return Err("it has a URL longer than 32 KiB".to_owned());
        }
        self.text.push_str(words);
        Ok(())
    }

    fn end(&mut self) {
        let url = self.text.trim();
        if self.is_at(b"url") && !url.is_empty() {
            self.pages.push(url.to_owned());
        } else if self.is_at(b"sitemap") && !url.is_empty() {
            self.sitemaps.push(url.to_owned());
        }
        self.open.pop();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    const PAGES: &str = "<?xml version=\"1.0\"?>\n<!-- c --><urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\" xmlns:i=\"x\">
        <url><loc> https://a.example/?a=1&amp;b=&#50; </loc><lastmod>2026-01-01</lastmod>
          <i:image><i:loc>https://a.example/picture.png</i:loc></i:image></url>
        <url><loc><![CDATA[https://a.example/<b>]]></loc></url><url><loc></loc></url><url/></urlset>";

    fn pages(text: &str) -> Result<Sitemap, String> {
        read(text.as_bytes(), 100)
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn a_sitemap_names_pages_and_not_their_pictures() {
        let named = ["https://a.example/?a=1&b=2", "https://a.example/<b>"].map(str::to_owned);
        assert_eq!(pages(PAGES), Ok(Sitemap::Pages(named.to_vec())));
        assert_eq!(read(&packed(PAGES.as_bytes()), 100), Ok(Sitemap::Pages(named.to_vec())));
        assert_eq!(read(PAGES.as_bytes(), 1), Ok(Sitemap::Pages(named[..1].to_vec())));
    }

    #[test]
    fn an_index_names_sitemaps_and_a_list_has_lines() {
        let index = "<s:sitemapindex xmlns:s='x'><s:sitemap><s:loc>https://a/1.xml.gz</s:loc></s:sitemap></s:sitemapindex>";
        assert_eq!(pages(index), Ok(Sitemap::Index(vec!["https://a/1.xml.gz".to_owned()])));
        let list = "\u{feff}https://a/1\r\n\n# no\n  https://a/2";
        let named = vec!["https://a/1".to_owned(), "https://a/2".to_owned()];
        assert_eq!(pages(list), Ok(Sitemap::Pages(named)));
    }

    #[test]
    fn what_is_no_sitemap_says_why() {
        let check = |text: &str, why: &str| {
            let said = pages(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        };
        check("", "empty");
        check(" \n", "empty");
        check("<html><body>no</body></html>", "`html`");
        check("<urlset><url></urlset>", "no XML");
        check("<urlset><url><loc>x", "breaks off");
        check("<urlset><url><loc>&nobody;</loc></url></urlset>", "`nobody`");
        let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;\">]><urlset><url><loc>&c;</loc></url></urlset>";
        check(bomb, "document type");
        check(&"<a>".repeat(100_000), "deeper");
        let long = format!("<urlset><url><loc>{}</loc></url></urlset>", "x".repeat(100_000));
        check(&long, "longer");
        assert!(read(&[0x1f, 0x8b, 1, 2, 3], 10).unwrap_err().contains("unpack"));
        let swollen = packed(&vec![b' '; SITEMAP_BYTES_MAX + 10]);
        assert!(swollen.len() < 1 << 20);
        assert!(read(&swollen, 10).unwrap_err().contains("50 MiB"));
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "(<|>|/|&|;|#|loc|url|urlset|!|\\[|\\]|a|\"|=| ){0,60}") {
            let _ = read(&bytes, 10);
            let _ = read(text.as_bytes(), 10);
            let _ = read(format!("<urlset><url><loc>{text}").as_bytes(), 10);
        }
    }
}
