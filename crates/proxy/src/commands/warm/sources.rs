//! The URLs to ask for: from sitemaps, which are asked of the gateway like everything else, and from
//! a list.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use super::sitemap::{self, SITEMAP_BYTES_MAX, Sitemap};
use super::target::Target;
use super::visitor::{Asks, Visitor};
use crate::cli::WarmArgs;

/// Sitemaps that indexes may name, all together.
const SITEMAPS_MAX: usize = 1_000;

/// Bytes of a list.
const LIST_BYTES_MAX: usize = 256 << 20;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// Each once, in the order in which they were found.
    pub(super) targets: Vec<Target>,
    /// How many were none.
    pub(super) unusable: u64,
}

/// What is collected, and how much of it.
struct Collected {
    found: Sources,
    seen: HashSet<String>,
    max: usize,
}

/// All URLs that the arguments name, at most as many as they say.
pub(super) async fn urls(args: &WarmArgs, asks: &Asks) -> Result<Sources, String> {
    let (found, seen) = (Sources::default(), HashSet::new());
    let mut collected = Collected { found, seen, max: args.max as usize };
    if let Some(file) = &args.list {
        let (file, max) = (file.clone(), collected.max);
        // Standard input may take as long as it likes.
        let read = tokio::task::spawn_blocking(move || list(&file, max)).await;
        let lines = read.map_err(|cause| format!("cannot read the list: {cause}"))??;
        collected.take(lines);
    }
    let mut visitor = Visitor::new(asks.clone());
    for url in &args.sitemap {
        collected.take_sitemap(&mut visitor, asks, url).await?;
    }
    match collected.found.targets.is_empty() {
        true if collected.found.unusable > 0 => Err("nothing that is named is a URL".to_owned()),
        true => Err("nothing is named that could be asked for".to_owned()),
        false => Ok(collected.found),
    }
}

fn list(file: &Path, max: usize) -> Result<Vec<String>, String> {
    let cannot = |cause: String| format!("cannot read `{}`: {cause}", file.display());
    let mut bytes = Vec::new();
    let limit = LIST_BYTES_MAX as u64 + 1;
    let read = match file.as_os_str() == "-" {
        true => std::io::stdin().lock().take(limit).read_to_end(&mut bytes),
        false => {
            std::fs::File::open(file).and_then(|file| file.take(limit).read_to_end(&mut bytes))
        }
    };
    read.map_err(|cause| cannot(cause.to_string()))?;
    match bytes.len() > LIST_BYTES_MAX {
        true => Err(cannot("it is longer than 256 MiB".to_owned())),
        // What is named twice, or is no URL, does not count.
        false => Ok(sitemap::lines(&bytes, max.saturating_mul(4))),
    }
}

impl Collected {
    fn take(&mut self, urls: Vec<String>) {
        for url in urls {
            if self.is_full() {
                return;
            }
            match Target::of(&url) {
                Ok(target) if self.seen.insert(target.url.clone()) => {
                    self.found.targets.push(target)
                }
                Ok(_) => {}
                Err(_) => self.found.unusable += 1,
            }
        }
    }

    fn is_full(&self) -> bool {
        self.found.targets.len() >= self.max
    }

    /// One sitemap, or those that an index names: not those that these might name.
    async fn take_sitemap(
        &mut self,
        visitor: &mut Visitor,
        asks: &Asks,
        url: &str,
    ) -> Result<(), String> {
        let named = match read(visitor, asks, url, self.max).await? {
            Sitemap::Pages(pages) => {
                self.take(pages);
                return Ok(());
            }
            Sitemap::Index(named) => named,
        };
        for url in named.iter().take(SITEMAPS_MAX) {
            if self.is_full() {
                return Ok(());
            }
            match read(visitor, asks, url, self.max).await? {
                Sitemap::Pages(pages) => self.take(pages),
                Sitemap::Index(_) => {
                    return Err(unusable(url, "an index names an index, which is not followed"));
                }
            }
        }
        Ok(())
    }
}

async fn read(
    visitor: &mut Visitor,
    asks: &Asks,
    url: &str,
    max: usize,
) -> Result<Sitemap, String> {
    let target = Target::of(url).map_err(|why| unusable(url, why))?;
    let read = visitor.read(&target, SITEMAP_BYTES_MAX).await;
    let (visited, bytes) = read.map_err(|lost| unusable(url, &lost.words(&asks.place)))?;
    if !visited.status.is_success() {
        let status = visited.status.as_u16();
        let why = format!("the gateway answers {status} ({})", visited.cache_status);
        return Err(unusable(url, &why));
    }
    sitemap::read(&bytes, max).map_err(|why| unusable(url, &why))
}

fn unusable(url: &str, why: &str) -> String {
    let visible = |text: &str| -> String {
        text.chars().take(300).map(|it| if it.is_control() { '\u{fffd}' } else { it }).collect()
    };
    format!("cannot read the sitemap `{}`: {}", visible(url), visible(why))
}
