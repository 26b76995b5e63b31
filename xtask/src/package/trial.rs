//! `cargo xtask package --try`: the Debian package in a machine of its own, which systemd boots in
//! namespaces. What is tried is told by `packaging/try/steps.sh`, which runs there.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::outcome::{Outcome, Trying, fail};
use crate::tools;
use crate::{process, workspace};

/// What the machine has beside a minimal Debian.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,python3,curl,logrotate,iproute2";

/// Boots a machine, installs this package there and tries it.
pub(super) fn run(package: &Path) -> Outcome {
    if !tools::is_root()? {
        return fail("cannot boot a machine to try the package in: only root can");
    }
    tools::need(&[tools::DEBOOTSTRAP, tools::NSPAWN])?;
    let machine = machine()?;
    let brought = brought(package)?;
    let booted = process::run(&mut boot(&machine, &brought));
    print!("{}", workspace::read(&brought.join("said"))?);
    booted
}

/// systemd as process 1 of the machine, which ends with the unit that tries the package, and as it does.
fn boot(machine: &Path, brought: &Path) -> Command {
    let mut nspawn = tools::system(&tools::NSPAWN);
    nspawn.args(["--quiet", "--settings=no", "--register=no", "--keep-unit", "--console=pipe"]);
    nspawn.args(["--private-network", "--resolv-conf=off", "--timezone=off", "--link-journal=no"]);
    // A real machine allows it; how a service takes the sockets that systemd passes.
    nspawn.arg("--system-call-filter=pidfd_getfd");
    // What is changed there is in memory, and goes with it.
    nspawn.args(["--volatile=overlay", "--machine=forebay-try"]);
    nspawn.arg(format!("--directory={}", machine.display()));
    nspawn.arg(format!("--bind={}:/try", brought.display()));
    let unit = brought.join("try.service");
    nspawn.arg(format!("--bind-ro={}:/etc/systemd/system/try.service", unit.display()));
    nspawn.args(["--boot", "--", "--unit=try.service"]);
    // Whatever the host has: systemd is about to leave the first version of control groups.
    nspawn.env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1");
    nspawn
}

/// The root of a Debian of this machine's release, made once.
fn machine() -> Outcome<PathBuf> {
    let codename = codename()?;
    let name = format!("machine-{codename}");
    let folder = workspace::tools().join(&name);
    let made = workspace::tools().join(format!("{name}.packages"));
    if workspace::read(&made).is_ok_and(|packages| packages == PACKAGES) {
        return Ok(folder);
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder).trying(format!("empty `{}`", folder.display()))?;
    }
    println!("making a Debian machine ({codename}) to try the package in");
    workspace::made(workspace::tools())?;
    let mut debootstrap = tools::system(&tools::DEBOOTSTRAP);
    debootstrap.args(["--variant=minbase", &format!("--include={PACKAGES}"), &codename]);
    process::capture(debootstrap.arg(&folder))?;
    workspace::write(&made, PACKAGES)?;
    Ok(folder)
}

/// The release of this machine, against whose libraries the package is built.
fn codename() -> Outcome<String> {
    let text = workspace::read(Path::new("/etc/os-release"))?;
    let named = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    match named {
        Some(codename) => Ok(codename.to_owned()),
        None => fail("`/etc/os-release` has no VERSION_CODENAME; is this a Debian?"),
    }
}

/// The folder that the machine sees as `/try`: the steps, and the package under two versions.
fn brought(package: &Path) -> Outcome<PathBuf> {
    let folder = workspace::scratch("try")?;
    let sources = workspace::root().join("packaging/try");
    for file in ["steps.sh", "origin.py", "try.service"] {
        super::copy(&sources.join(file), &folder.join(file))?;
    }
    super::copy(package, &folder.join("old.deb"))?;
    let unpacked = folder.join("new");
    process::run(Command::new("dpkg-deb").arg("--raw-extract").arg(package).arg(&unpacked))?;
    let control = unpacked.join("DEBIAN/control");
    let text = workspace::read(&control)?;
    let newer = |line: &str| match line.starts_with("Version: ") {
        true => format!("{line}+newer\n"),
        false => format!("{line}\n"),
    };
    workspace::write(&control, &text.lines().map(newer).collect::<String>())?;
    let mut build = Command::new("dpkg-deb");
    build.args(["-Znone", "--root-owner-group", "--build"]).arg(&unpacked);
    process::capture(build.arg(folder.join("new.deb")))?;
    Ok(folder)
}
