//! What the process itself takes, under the names that all exporters give it, and which build it is.

use std::fmt::Write;

use super::metrics::write_head;
use super::readings::{GAUGE, Reading, write_rows};

/// The build, and where the system tells it (Linux), memory and files.
pub fn write_process(text: &mut String) {
    let name = "forebay_build_info";
    write_head(text, name, "1, with the version of the program.", GAUGE);
    let _ = writeln!(text, "{name}{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
    let Some((resident, files)) = resident_bytes().zip(open_files()) else { return };
    let files_max = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let rows = [
        Reading::gauge("process_resident_memory_bytes", "Resident memory.", resident),
        Reading::gauge("process_open_fds", "Open file descriptors.", files),
        Reading::gauge(
            "process_max_fds",
            "File descriptors that may be open.",
            files_max.unwrap_or(u64::MAX),
        ),
    ];
    write_rows(text, &rows);
}

fn resident_bytes() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

fn open_files() -> Option<u64> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}
