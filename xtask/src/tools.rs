//! What the commands need beside Rust, and how it comes here.
//!
//! Programs of the system come from apt, as root only; everything else stays under `target/tools`,
//! in the versions written here.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::outcome::{Outcome, Trying, fail};
use crate::process;
use crate::workspace;

/// A program of the system and the Debian package that brings it.
pub(crate) struct SystemProgram {
    command: &'static str,
    package: &'static str,
}

/// Runs the npm packages.
pub(crate) const NODE: SystemProgram = SystemProgram { command: "node", package: "nodejs" };
/// Installs the npm packages.
pub(crate) const NPM: SystemProgram = SystemProgram { command: "npm", package: "npm" };
/// Runs kosoku.
pub(crate) const PYTHON: SystemProgram = SystemProgram { command: "python3", package: "python3" };
/// A peer, and the stand-in that the harness is checked on.
pub(crate) const NGINX: SystemProgram = SystemProgram { command: "nginx", package: "nginx-light" };
/// A peer.
pub(crate) const VARNISH: SystemProgram = SystemProgram { command: "varnishd", package: "varnish" };
/// A peer.
pub(crate) const HAPROXY: SystemProgram = SystemProgram { command: "haproxy", package: "haproxy" };
/// The load generator.
pub(crate) const WRK: SystemProgram = SystemProgram { command: "wrk", package: "wrk" };
/// Puts a program on one core.
pub(crate) const TASKSET: SystemProgram =
    SystemProgram { command: "taskset", package: "util-linux" };
/// Compiles the C parts of the TLS library.
pub(crate) const COMPILER: SystemProgram = SystemProgram { command: "cc", package: "gcc" };
/// A tier, its sentinels and its cluster: `redis-server --sentinel` needs no package of its own.
pub(crate) const REDIS: SystemProgram =
    SystemProgram { command: "redis-server", package: "redis-server" };
/// The authority of the trials of ACME.
pub(crate) const PEBBLE: SystemProgram = SystemProgram { command: "pebble", package: "pebble" };
/// Asks what the manual says to ask.
pub(crate) const CURL: SystemProgram = SystemProgram { command: "curl", package: "curl" };
/// Makes the rooms in which the manual's commands are run.
pub(crate) const UNSHARE: SystemProgram =
    SystemProgram { command: "unshare", package: "util-linux" };
/// Brings up the loopback of such a room.
pub(crate) const IP: SystemProgram = SystemProgram { command: "ip", package: "iproute2" };
/// Says which packages a program's libraries are in.
pub(crate) const DPKG_SHLIBDEPS: SystemProgram =
    SystemProgram { command: "dpkg-shlibdeps", package: "dpkg-dev" };
/// Makes the machine in which the package is tried.
pub(crate) const DEBOOTSTRAP: SystemProgram =
    SystemProgram { command: "debootstrap", package: "debootstrap" };
/// Boots it.
pub(crate) const NSPAWN: SystemProgram =
    SystemProgram { command: "systemd-nspawn", package: "systemd-container" };
/// Compiles the C parts of a static program; never installed, only used where it is.
pub(crate) const MUSL_GCC: SystemProgram =
    SystemProgram { command: "musl-gcc", package: "musl-tools" };
/// nginx's Lua, for the classic way with Redis.
pub(crate) const NGINX_LUA: SystemProgram = SystemProgram {
    command: "/usr/lib/nginx/modules/ngx_http_lua_module.so",
    package: "libnginx-mod-http-lua",
};
/// Its client for Redis.
pub(crate) const LUA_REDIS: SystemProgram =
    SystemProgram { command: "/usr/share/lua/5.1/nginx/redis.lua", package: "lua-nginx-redis" };
/// And what it writes responses with.
pub(crate) const LUA_JSON: SystemProgram =
    SystemProgram { command: "/usr/lib/x86_64-linux-gnu/lua/5.1/cjson.so", package: "lua-cjson" };
/// Looks at the dashboard.
pub(crate) const BROWSER: SystemProgram =
    SystemProgram { command: "chromium", package: "chromium" };
/// Drives it.
pub(crate) const BROWSER_DRIVER: SystemProgram =
    SystemProgram { command: "chromedriver", package: "chromium-driver" };
/// A crate with a program, and its version.
pub(crate) struct CargoProgram {
    name: &'static str,
    version: &'static str,
    command: &'static str,
    arguments: &'static [&'static str],
}

/// The HTTP/2 cases.
pub(crate) const HTTPWG: CargoProgram =
    CargoProgram { name: "httpwg-cli", version: "0.2.5", command: "httpwg", arguments: &[] };
/// Judges dependencies; without its own cargo, which takes half of its build.
pub(crate) const DENY: CargoProgram = CargoProgram {
    name: "cargo-deny",
    version: "0.20.2",
    command: "cargo-deny",
    arguments: &["--no-default-features"],
};

/// Compares the interfaces of two versions of a crate.
pub(crate) const SEMVER: CargoProgram = CargoProgram {
    name: "cargo-semver-checks",
    version: "0.51.0",
    command: "cargo-semver-checks",
    arguments: &[],
};

/// Builds the Debian package; xz comes from the system.
pub(crate) const CARGO_DEB: CargoProgram = CargoProgram {
    name: "cargo-deb",
    version: "3.8.0",
    command: "cargo-deb",
    arguments: &["--no-default-features"],
};

/// Set, nothing is tried in a browser, and none is installed.
const NO_BROWSER: &str = "FOREBAY_NO_BROWSER";

const KOSOKU: &str = "kosoku==0.1.0";
const AIOQUIC: &str = "aioquic==1.7.2";

/// Whether something is tried in a browser.
pub(crate) fn wants_browser() -> bool {
    std::env::var_os(NO_BROWSER).is_none()
}

/// Sees to it that these programs are there: installs them as root, or says what to install.
pub(crate) fn need(programs: &[SystemProgram]) -> Outcome {
    let missing: Vec<&str> = (programs.iter())
        .filter(|program| find(program.command).is_none())
        .map(|program| program.package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !is_root()? || find("apt-get").is_none() {
        let packages = missing.join(" ");
        return fail(format!(
            "packages are missing; install them with:\n  apt-get install {packages}"
        ));
    }
    install(&missing)
}

fn install(packages: &[&str]) -> Outcome {
    println!("installing {} with apt", packages.join(", "));
    process::run(Command::new("apt-get").args(["update", "-qq"]))?;
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages);
    process::run(&mut command)
}

/// The folder of the npm packages that `xtask/conformance/package.json` names.
pub(crate) fn node_packages() -> Outcome<PathBuf> {
    need(&[NODE, NPM])?;
    let folder = workspace::made(workspace::tools().join("node"))?;
    let sources = workspace::root().join("xtask/conformance");
    let lock = workspace::read(&sources.join("package-lock.json"))?;
    // node looks for packages beside the script that asks for them.
    for script in ["origin.mjs", "suite.mjs", "echo.mjs"] {
        workspace::write(&folder.join(script), &workspace::read(&sources.join(script))?)?;
    }
    let installed = folder.join("installed-lock.json");
    if workspace::read(&installed).is_ok_and(|text| text == lock) {
        return Ok(folder);
    }
    let manifest = workspace::read(&sources.join("package.json"))?;
    workspace::write(&folder.join("package.json"), &manifest)?;
    workspace::write(&folder.join("package-lock.json"), &lock)?;
    let mut npm = Command::new("npm");
    npm.current_dir(&folder).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
    process::run(&mut npm)?;
    workspace::write(&installed, &lock)?;
    Ok(folder)
}

/// kosoku's program, in a Python environment of its own.
pub(crate) fn kosoku() -> Outcome<PathBuf> {
    need(&[PYTHON])?;
    let folder = workspace::tools().join("python");
    python_package(&folder, "bin/kosoku", KOSOKU)?;
    Ok(folder.join("bin/kosoku"))
}

/// A Python that has aioquic, in an environment of its own.
pub(crate) fn aioquic() -> Outcome<PathBuf> {
    need(&[PYTHON])?;
    let folder = workspace::tools().join("aioquic");
    python_package(&folder, "installed", AIOQUIC)?;
    workspace::write(&folder.join("installed"), AIOQUIC)?;
    Ok(folder.join("bin/python"))
}

/// Installs a package into an environment of its own, where what it leaves is not there.
fn python_package(folder: &Path, left: &str, package: &str) -> Outcome {
    if folder.join(left).exists() {
        return Ok(());
    }
    make_python_environment(folder)?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", package]);
    process::run(&mut pip)
}

fn make_python_environment(folder: &Path) -> Outcome {
    let mut command = Command::new("python3");
    command.args(["-m", "venv", "--clear"]).arg(folder);
    if process::capture(&mut command).is_ok() {
        return Ok(());
    }
    // Debian's python3 has the module in a package of its own, and says so only on trying.
    if !is_root()? {
        return fail(
            "python3 cannot make environments; install it with:\n  apt-get install python3-venv",
        );
    }
    install(&["python3-venv"])?;
    process::run(&mut command)
}

/// A crate's program, built where it is not there in the wanted version.
pub(crate) fn cargo_program(program: &CargoProgram) -> Outcome<PathBuf> {
    let tools = workspace::made(workspace::tools())?;
    let path = tools.join("bin").join(program.command);
    let wanted = format!("\"{} {} ", program.name, program.version);
    let installed = std::fs::read_to_string(tools.join(".crates.toml")).unwrap_or_default();
    if path.exists() && installed.contains(&wanted) {
        return Ok(path);
    }
    let mut command = workspace::cargo();
    command.args(["install", "--quiet", "--locked", "--root"]).arg(&tools);
    command.arg(format!("{}@{}", program.name, program.version)).args(program.arguments);
    command.env("CARGO_TARGET_DIR", tools.join("build"));
    println!("building {} {}", program.name, program.version);
    process::run(&mut command)?;
    Ok(path)
}

fn find(command: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // Debian keeps servers where an ordinary user's path does not look.
    let system = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .map(|folder| folder.join(command))
        .find(|it| it.is_file())
}

/// Where a program of the system lies.
pub(crate) fn path(program: &SystemProgram) -> PathBuf {
    find(program.command).unwrap_or_else(|| program.command.into())
}

/// A command for a program of the system.
pub(crate) fn system(program: &SystemProgram) -> Command {
    Command::new(path(program))
}

/// Whether we may install with apt.
pub(crate) fn is_root() -> Outcome<bool> {
    let id = process::capture(Command::new("id").arg("-u")).trying("ask who we are")?;
    Ok(id.trim() == "0")
}
