//! Whether a directory is fit for the disk tier.

use std::fs;
use std::path::Path;

use rustix::fs::{Access, access, statvfs};

use super::finding::{Examined, Finding};
use crate::config::DiskSettings;
use crate::config::text::in_bytes;

/// Files whose lengths are added up; what lies beyond them is not ours.
const FILES_MAX: usize = 2_000_000;

/// How deep folders are gone into.
const DEPTH_MAX: usize = 4;

/// What is known of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    /// Whether this user may write there, and if not, why.
    write: Result<(), String>,
    /// Bytes that are free to this user.
    free_bytes: u64,
    /// Bytes that lie there already, and are ours to overwrite.
    held_bytes: u64,
    /// A kind of file system that loses or delays what is written.
    unfit: Option<Unfit>,
    /// The version of what lies there, and ours.
    versions: Option<(u32, u32)>,
}

/// Kinds of file systems on which a disk tier is of little use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unfit {
    /// In memory.
    Memory,
    /// A container's own layer.
    Layer,
    /// On another machine.
    Network,
}

/// Looks at the directory of a disk tier.
pub(super) fn examine(settings: &DiskSettings) -> Examined {
    let called = settings.path.display().to_string();
    match see(&settings.path) {
        Ok(seen) => {
            let is =
                format!("{} MiB free, {} MiB held", seen.free_bytes >> 20, seen.held_bytes >> 20);
            Examined::new(called, Some(is), findings(&seen, settings.size_bytes))
        }
        Err(finding) => Examined::new(called, None, vec![finding]),
    }
}

fn see(path: &Path) -> Result<Seen, Finding> {
    let cannot = |cause: String| Finding::problem(format!("cannot look at it: {cause}"));
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => return Err(Finding::problem("it is no directory")),
        Ok(_) => {}
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            let help = format!("`mkdir -p {}`", path.display());
            return Err(Finding::problem("it does not exist").with_help(help));
        }
        Err(cause) => return Err(cannot(cause.to_string())),
    }
    let room = statvfs(path).map_err(|cause| cannot(cause.to_string()))?;
    let allowed = access(path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK);
    Ok(Seen {
        write: allowed.map_err(|cause| cause.to_string()),
        free_bytes: room.f_bavail.saturating_mul(room.f_frsize),
        held_bytes: held(path),
        unfit: unfit(path),
        versions: forebay_cache::disk::inspect::versions(path),
    })
}

fn findings(seen: &Seen, size_bytes: u64) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(why) = &seen.write {
        findings.push(Finding::problem(format!("this user cannot write there: {why}")));
    }
    if let Some((found, ours)) = seen.versions.filter(|(found, ours)| found > ours) {
        let message =
            format!("what lies there is of version {found}, and this program reads {ours}");
        let help = "run the newer program, or name another directory";
        findings.push(Finding::problem(message).with_help(help));
    }
    let room = seen.free_bytes.saturating_add(seen.held_bytes);
    if room < size_bytes {
        let message =
            format!("it has room for {} MiB, and may hold {}", room >> 20, in_bytes(size_bytes));
        findings.push(Finding::problem(message).with_help("lower `size`, or make room"));
    }
    let why = match seen.unfit {
        Some(Unfit::Memory) => {
            "it is in memory: it takes what memory could, and ends with the machine"
        }
        Some(Unfit::Layer) => "it is a container's own layer: it ends with the container",
        Some(Unfit::Network) => {
            "it is on another machine: reading it may take longer than the origin"
        }
        None => return findings,
    };
    findings.push(Finding::hint(why).with_help("choose a directory on a disk of this machine"));
    findings
}

/// Bytes of the files in a directory.
fn held(path: &Path) -> u64 {
    let mut left = vec![(path.to_owned(), 0)];
    let (mut bytes, mut files) = (0_u64, 0);
    while let Some((folder, depth)) = left.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            files += 1;
            if files > FILES_MAX {
                return bytes;
            }
            match entry.metadata() {
                Ok(found) if found.is_dir() && depth < DEPTH_MAX => {
                    left.push((entry.path(), depth + 1));
                }
                Ok(found) if found.is_file() => bytes = bytes.saturating_add(found.len()),
                Ok(_) | Err(_) => {}
            }
        }
    }
    bytes
}

/// By the numbers of statfs(2).
#[cfg(target_os = "linux")]
fn unfit(path: &Path) -> Option<Unfit> {
    match rustix::fs::statfs(path).ok()?.f_type as u32 {
        0x0102_1994 | 0x8584_58f6 => Some(Unfit::Memory),
        0x794c_7630 => Some(Unfit::Layer),
        0x6969 | 0xff53_4d42 | 0xfe53_4d42 | 0x0102_1997 | 0x00c3_6400 => Some(Unfit::Network),
        _ => None,
    }
}

/// Other systems have other numbers.
#[cfg(not(target_os = "linux"))]
fn unfit(_: &Path) -> Option<Unfit> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Seen =
        Seen { write: Ok(()), free_bytes: 1 << 30, held_bytes: 0, unfit: None, versions: None };

    #[test]
    fn what_is_seen_is_judged() {
        let check = |seen: Seen, expected: &[&str]| {
            let found: Vec<String> =
                findings(&seen, 1 << 30).iter().map(Finding::to_string).collect();
            assert_eq!(found, expected, "{seen:?}");
        };
        check(FINE, &[]);
        check(Seen { free_bytes: 1 << 29, held_bytes: 1 << 29, ..FINE }, &[]);
        check(
            Seen { free_bytes: (1 << 30) - 1, ..FINE },
            &["it has room for 1023 MiB, and may hold 1GiB; lower `size`, or make room"],
        );
        check(Seen { write: Err("no".to_owned()), ..FINE }, &["this user cannot write there: no"]);
        check(Seen { versions: Some((1, 1)), ..FINE }, &[]);
        check(
            Seen { versions: Some((2, 1)), ..FINE },
            &[
                "what lies there is of version 2, and this program reads 1; run the newer program, or \
               name another directory",
            ],
        );
        for unfit in [Unfit::Memory, Unfit::Layer, Unfit::Network] {
            let seen = Seen { unfit: Some(unfit), ..FINE };
            let found = findings(&seen, 1);
            assert!(found.len() == 1 && found[0].to_string().contains("of this machine"));
        }
    }

    #[test]
    fn a_directory_is_seen_as_it_is() {
        let folder = std::env::temp_dir().join(format!("forebay-doctor-{}", std::process::id()));
        fs::create_dir_all(folder.join("below")).unwrap();
        fs::write(folder.join("a"), [0; 10]).unwrap();
        fs::write(folder.join("below/b"), [0; 100]).unwrap();
        let seen = see(&folder).unwrap();
        assert_eq!((seen.held_bytes, seen.write), (110, Ok(())));
        assert!(seen.free_bytes > 0);
        let file = see(&folder.join("a")).unwrap_err().to_string();
        assert_eq!(file, "it is no directory");
        let nothing = folder.join("nothing");
        let missing = see(&nothing).unwrap_err().to_string();
        assert_eq!(missing, format!("it does not exist; `mkdir -p {}`", nothing.display()));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_in_memory_is_known() {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let in_memory = mounts.lines().filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (path, kind) = (words.next()?, words.next()?);
            (kind == "tmpfs").then_some(path)
        });
        for path in in_memory {
            assert_eq!(unfit(Path::new(path)), Some(Unfit::Memory), "{path}");
        }
        assert_ne!(unfit(Path::new("/proc")), Some(Unfit::Memory));
    }
}
