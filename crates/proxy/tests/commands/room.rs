//! A room: a machine for one page, made of namespaces. Nothing in it reaches the real machine, its
//! network, its processes or its `/etc`, so a page's ports, paths and `pidof` mean what they say.

use std::path::Path;
use std::process::{Command, Stdio};

/// The page that is to be played, for the process in the room.
pub(crate) const PAGE: &str = "FOREBAY_PAGE_IN_ROOM";

/// What makes the machine within the namespaces, before the test program runs again in it: `$1` is
/// the page's folder, the rest is the command.
const FURNISH: &str = r#"
set -e
room=$1; shift
ip link set lo up
mkdir -p "$room/etc/forebay" "$room/etc/ssl" "$room/home" "$room/runtime"
chmod 700 "$room/runtime"
for name in passwd group nsswitch.conf alternatives ld.so.cache localtime; do
    [ ! -e "/etc/$name" ] || cp -r "/etc/$name" "$room/etc/"
done
for name in certs openssl.cnf; do
    [ ! -e "/etc/ssl/$name" ] || cp -r "/etc/ssl/$name" "$room/etc/ssl/"
done
echo "127.0.0.1 localhost example.com www.example.com shop.example.com api.example.com blog.example.com" \
    > "$room/etc/hosts"
mount --bind "$room/etc" /etc
for folder in /var/cache /var/lib /run /var/log; do
    mount -t tmpfs none "$folder"
done
exec "$@"
"#;

fn namespaces() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "--mount", "--pid", "--fork"]);
    command.args(["--mount-proc", "--kill-child"]);
    command.stdin(Stdio::null());
    command
}

/// Whether rooms can be made on this machine, or why not.
pub(crate) fn can_be_made() -> Result<(), String> {
    let tried =
        namespaces().args(["sh", "-c", "ip link set lo up && mount -t tmpfs none /run"]).output();
    match tried {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(cause) => Err(format!("cannot run `unshare`: {cause}")),
    }
}

/// Plays a page in a room of its own; what it said where it failed.
pub(crate) fn play(page: &str) -> Result<(), String> {
    let name = page.replace(['/', '.'], "-");
    let folder = std::env::temp_dir().join(format!("forebay-room-{}-{name}", std::process::id()));
    let start = folder.join("start");
    std::fs::create_dir_all(&start).unwrap();
    std::os::unix::fs::symlink(crate::root().join("docs"), start.join("docs")).unwrap();
    std::fs::write(start.join("forebay.toml"), "[[route]]\nto = \"http://localhost:3000\"\n")
        .unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_forebay")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let output = namespaces()
        .args(["sh", "-c", FURNISH, "room"])
        .arg(&folder)
        .arg(std::env::current_exe().unwrap())
        .args(["one_page_is_played", "--exact", "--ignored", "--nocapture"])
        .current_dir(&start)
        .env("PATH", path)
        .env("HOME", folder.join("home"))
        .env("XDG_RUNTIME_DIR", folder.join("runtime"))
        .env(PAGE, page)
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let _ = std::fs::remove_dir_all(&folder);
    if output.status.success() {
        return Ok(());
    }
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    Err(String::from_utf8_lossy(&said).into_owned())
}
