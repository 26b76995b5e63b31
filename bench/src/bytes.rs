//! What an entry costs beyond its key and value, by what the allocator gave.

use crate::ALLOCATOR;
use crate::caches::{MAKERS, Payload};
use crate::table::Table;

/// How long what is dropped may take to be freed.
const FREED_LATER: std::time::Duration = std::time::Duration::from_millis(500);
const ENTRIES: u64 = 100_000;
const OWN_BYTES: usize = size_of::<u64>() + size_of::<Payload>();

/// The table.
pub(crate) fn run() -> String {
    let mut table = Table::new(&["bytes an entry beyond its own 72", "of 100 000"]);
    for make in MAKERS {
        let before = ALLOCATOR.allocated();
        let cache = make(2 * ENTRIES as usize);
        (0..ENTRIES).for_each(|key| cache.insert(key));
        let held = ALLOCATOR.allocated().saturating_sub(before) / ENTRIES as usize;
        let cells = [cache.name().to_owned(), held.saturating_sub(OWN_BYTES).to_string()];
        table.row(&cells);
        // Some give their memory back a moment later, which the next must not get the credit for.
        drop(cache);
        std::thread::sleep(FREED_LATER);
    }
    table.text()
}
