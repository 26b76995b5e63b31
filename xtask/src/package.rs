//! `cargo xtask package`: a Debian package, and a tarball with a static program, in `target/package`.

mod trial;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::outcome::{Outcome, Trying, fail};
use crate::tools;
use crate::{process, workspace};

/// Which build is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Build {
    Release,
    /// To try a package without waiting for a release build.
    Debug,
}

/// Flags of a build that needs no library of the system.
const STATIC: &str = "-C target-feature=+crt-static";

/// Builds what was asked for; both where nothing was. With `--try` the Debian package is built and tried.
pub(crate) fn run(options: &[&str]) -> Outcome {
    let build = if options.contains(&"--debug") { Build::Debug } else { Build::Release };
    let kinds: Vec<&str> = options.iter().copied().filter(|option| *option != "--debug").collect();
    let made = match kinds.as_slice() {
        [] => vec![debian(build)?, tarball(build)?],
        ["deb"] => vec![debian(build)?],
        ["tarball"] => vec![tarball(build)?],
        ["--try"] => return trial::run(&debian(build)?),
        unknown => {
            let unknown = unknown.join(" ");
            return fail(format!(
                "no package `{unknown}`; there are deb and tarball, --try, and --debug"
            ));
        }
    };
    for path in made {
        println!("{}", path.display());
    }
    Ok(())
}

fn folder() -> Outcome<PathBuf> {
    // Not where cargo builds: `[package.metadata.deb]` names this folder.
    workspace::made(workspace::root().join("target/package"))
}

/// Man pages and completions.
fn paper() -> Outcome<PathBuf> {
    let paper = folder()?.join("paper");
    for kind in ["man", "completions"] {
        let mut command = workspace::cargo();
        command.args(["run", "--quiet", "--package", "forebay", "--example", "reference", kind]);
        process::run(command.arg(paper.join(kind)))?;
    }
    Ok(paper)
}

fn debian(build: Build) -> Outcome<PathBuf> {
    tools::need(&[tools::DPKG_SHLIBDEPS])?;
    let cargo_deb = tools::cargo_program(&tools::CARGO_DEB)?;
    paper()?;
    process::run(&mut cargo_build(build))?;
    let out = folder()?;
    let mut command = Command::new(cargo_deb);
    command.current_dir(workspace::root());
    command.args(["--no-build", "--quiet", "--package", "forebay", "--output"]).arg(&out);
    if build == Build::Debug {
        command.args(["--profile", "dev"]);
    }
    let said = process::capture(&mut command)?;
    match said.lines().last() {
        Some(path) => Ok(path.into()),
        None => fail("cargo-deb did not say what it made"),
    }
}

fn cargo_build(build: Build) -> Command {
    let mut command = workspace::cargo();
    command.args(["build", "--locked", "--package", "forebay", "--bin", "forebay"]);
    if build == Build::Release {
        command.arg("--release");
    }
    command
}

fn tarball(build: Build) -> Outcome<PathBuf> {
    let paper = paper()?;
    let target = static_target()?;
    println!("the static program is built for {}", target.triple);
    let program = static_program(build, &target)?;
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("forebay-{version}-{}", target.name);
    let root = workspace::scratch("package")?.join(&name);
    lay_out(&root, &program, &paper)?;
    pack(&root, &name)
}

/// The static program, built first; or, to try the packing, the one that `FOREBAY_BIN` names.
fn static_program(build: Build, target: &Target) -> Outcome<PathBuf> {
    let program = match std::env::var_os("FOREBAY_BIN") {
        Some(program) => program.into(),
        None => {
            let mut command = cargo_build(build);
            command.args(["--target", &target.triple]).env("RUSTFLAGS", STATIC);
            process::run(&mut command)?;
            let profile = match build {
                Build::Release => "release",
                Build::Debug => "debug",
            };
            workspace::target().join(&target.triple).join(profile).join("forebay")
        }
    };
    let headers = process::capture(Command::new("readelf").arg("-lW").arg(&program))?;
    if headers.contains("INTERP") {
        return fail(format!("`{}` is not static: it names an interpreter", program.display()));
    }
    Ok(program)
}

/// For what the static program is built.
struct Target {
    triple: String,
    /// What the tarball is called after.
    name: String,
}

/// musl where its library and its compiler are there; else glibc, linked in.
fn static_target() -> Outcome<Target> {
    let host = process::capture(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let host = host.trim();
    let machine = host.split('-').next().unwrap_or(host);
    let musl = format!("{machine}-unknown-linux-musl");
    let mut ask = Command::new("rustc");
    let library = process::capture(ask.args(["--print", "target-libdir", "--target", &musl]))?;
    let has_compiler = tools::path(&tools::MUSL_GCC).is_absolute();
    if has_compiler && Path::new(library.trim()).exists() {
        return Ok(Target { triple: musl, name: format!("{machine}-linux-musl") });
    }
    Ok(Target { triple: host.to_owned(), name: format!("{machine}-linux-glibc-static") })
}

/// The tarball's content.
fn lay_out(root: &Path, program: &Path, paper: &Path) -> Outcome {
    let sources = workspace::root();
    let bin = workspace::made(root.join("bin"))?;
    copy(program, &bin.join("forebay"))?;
    // Names of functions stay, for a backtrace that somebody sends; the rest is ten times the program.
    process::run(Command::new("strip").arg("--strip-debug").arg(bin.join("forebay")))?;
    for file in ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "CHANGELOG.md"] {
        copy(&sources.join(file), &root.join(file))?;
    }
    for (from, to) in [
        (paper.join("man"), "man"),
        (paper.join("completions"), "completions"),
        (sources.join("docs/manual"), "manual"),
        (sources.join("docs/examples"), "examples"),
        (sources.join("packaging/systemd"), "systemd"),
    ] {
        copy_folder(&from, &workspace::made(root.join(to))?)?;
    }
    copy(&sources.join("packaging/examples/forebay.socket"), &root.join("systemd/forebay.socket"))?;
    copy(&sources.join("packaging/forebay.toml"), &root.join("forebay.toml"))
}

fn copy_folder(from: &Path, to: &Path) -> Outcome {
    let files = std::fs::read_dir(from).trying(format!("read `{}`", from.display()))?;
    for file in files {
        let file = file.trying(format!("read `{}`", from.display()))?;
        copy(&file.path(), &to.join(file.file_name()))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Outcome {
    std::fs::copy(from, to).trying(format!("copy `{}`", from.display()))?;
    Ok(())
}

/// The same files make the same bytes, whoever packs them and when.
fn pack(root: &Path, name: &str) -> Outcome<PathBuf> {
    let path = folder()?.join(format!("{name}.tar.gz"));
    let mut log = Command::new("git");
    log.current_dir(workspace::root()).args(["log", "-1", "--format=%ct"]);
    let time = process::capture(&mut log)?;
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=go-w"]);
    tar.arg(format!("--mtime=@{}", time.trim()));
    tar.args(["--use-compress-program", "gzip -n", "-cf"])
        .arg(&path)
        .arg("-C")
        .arg(root.parent().unwrap_or(root))
        .arg(name);
    process::run(&mut tar)?;
    Ok(path)
}
