//! What is measured, and what it is measured beside: each on core 0, each with one worker.

mod stores;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::outcome::{Outcome, Trying, fail};
use crate::process::{self, Running};
use crate::tools;
use crate::workspace;

use super::keep_alive::Client;
pub(crate) use stores::{
    drop_page_cache, forebay_disk, forebay_redis, forebay_told, nginx_lua_redis, redis,
};

const SERVER_CORE: &str = "0";
const CLIENT_CORE: &str = "1";
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// What every cache may keep, in MiB.
const MEMORY_MIB: u32 = 1024;

/// Sizes that the origin has bodies of.
pub(crate) const SIZES: &[usize] = &[100, 1024, 4096, 8192, 16_384, 65_536, 262_144, 1_048_576];

/// A server, running.
pub(crate) struct Server {
    /// As the tables call it.
    pub(crate) name: &'static str,
    /// Where it listens.
    pub(crate) port: u16,
    running: Running,
    admin: Option<Admin>,
}

/// Where the program tells its metrics, and what it was started with.
struct Admin {
    port: u16,
    words: Vec<String>,
}

impl Server {
    /// Its resident memory (of the process that we started, not of its children).
    pub(crate) fn resident_bytes(&self) -> Outcome<u64> {
        let file = format!("/proc/{}/status", self.running.id());
        let status = workspace::read(Path::new(&file))?;
        let kilobytes = (status.lines().find_map(|line| line.strip_prefix("VmRSS:")))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
        match kilobytes {
            Some(kilobytes) => Ok(kilobytes * 1024),
            None => fail(format!("`{file}` says no VmRSS")),
        }
    }
}

/// A command bound to the client's core.
pub(crate) fn on_client_core(program: &Path) -> Command {
    on_core(CLIENT_CORE, program)
}

fn on_core(core: &str, program: &Path) -> Command {
    let mut command = tools::system(&tools::TASKSET);
    command.args(["-c", core]).arg(program);
    command
}

/// How many requests the origin has seen so far, this question included.
pub(crate) fn origin_requests(origin: &Server) -> Outcome<u64> {
    let said = Client::connect(origin.port)?.text("/status")?;
    let counts = said.lines().map(str::trim).find(|line| {
        !line.is_empty() && line.split_whitespace().all(|word| word.parse::<u64>().is_ok())
    });
    (counts.and_then(|line| line.split_whitespace().nth(2)))
        .ok_or(said.as_str())
        .trying("read the origin's status")?
        .parse()
        .trying("read the origin's status")
}

/// nginx with a file of every size: `/<bytes>/<any key>` may be kept, `/pass/<bytes>/…` not.
pub(crate) fn origin() -> Outcome<Server> {
    let folder = workspace::scratch("bench-origin")?;
    let files = workspace::made(folder.join("files"))?;
    for size in SIZES {
        workspace::write(&files.join(size.to_string()), &"x".repeat(*size))?;
    }
    let port = process::free_port()?;
    let served = format!(
        "sendfile on; tcp_nopush on; open_file_cache max=100; default_type text/plain;
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location = /status {{ stub_status; }}
    location ~ ^/pass/(\\d+)/ {{ alias {files}/$1; add_header Cache-Control no-store; }}
    location ~ ^/(\\d+)/ {{ alias {files}/$1; add_header Cache-Control max-age=86400; }}
  }}",
        files = files.display()
    );
    nginx("origin", CLIENT_CORE, "bench-origin", port, &served)
}

/// The program, one worker, metrics on, no access log.
pub(crate) fn forebay(program: &Path, origin: &Server, memory_mib: u32) -> Outcome<Server> {
    let (port, admin) = (process::free_port()?, process::free_port()?);
    let mut command = on_core(SERVER_CORE, program);
    command.args(["run", "--to", &format!("http://{}", process::local(origin.port))]);
    command.args(["--listen", &process::local(port).to_string()]);
    command.args(["--admin", &process::local(admin).to_string()]);
    command.args(["--memory", &format!("{memory_mib}MiB"), "--workers", "1", "--log", "off"]);
    started("forebay", "bench-forebay", &mut command, port)
}

/// The program with as much memory as its peers.
pub(crate) fn forebay_cache(program: &Path, origin: &Server) -> Outcome<Server> {
    forebay(program, origin, MEMORY_MIB)
}

/// nginx's proxy_cache, its files in memory where the machine has room for that.
pub(crate) struct NginxCache {
    /// It itself.
    pub(crate) server: Server,
    folder: PathBuf,
}

impl Drop for NginxCache {
    fn drop(&mut self) {
        // Only what we made. It may never have been made, and another run would not mind it.
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// Whether nginx holds the files of its cache open, which it does not unless told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenFiles {
    /// As it comes.
    AsItComes,
    /// `open_file_cache` for every key of the run.
    Held,
}

impl OpenFiles {
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            OpenFiles::AsItComes => ("nginx", "bench-nginx", ""),
            OpenFiles::Held => (
                "nginx, open_file_cache",
                "bench-nginx-held",
                "open_file_cache max=12000 inactive=600s;",
            ),
        }
    }
}

/// Starts it, its files in memory if there is room.
pub(crate) fn nginx_cache(origin: &Server, files: OpenFiles) -> Outcome<NginxCache> {
    let (_, scratch, _) = files.words();
    nginx_cache_in(nginx_cache_folder(scratch)?, origin, files)
}

/// Starts it, its files on the disk: those in `/dev/shm` stay when the page cache is dropped.
pub(crate) fn nginx_cache_on_disk(origin: &Server) -> Outcome<NginxCache> {
    let folder = workspace::scratch("bench-nginx-disk-cache")?;
    nginx_cache_in(folder, origin, OpenFiles::AsItComes)
}

fn nginx_cache_in(folder: PathBuf, origin: &Server, files: OpenFiles) -> Outcome<NginxCache> {
    let (name, scratch, setting) = files.words();
    let port = process::free_port()?;
    let served = format!(
        "{setting} sendfile on; tcp_nopush on;
  proxy_cache_path {} levels=1:2 keys_zone=kept:64m max_size={MEMORY_MIB}m inactive=600m
    use_temp_path=off;
  upstream origin {{ server 127.0.0.1:{}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection '';
      proxy_cache kept;
    }}
  }}",
        folder.display(),
        origin.port
    );
    let server = nginx(name, SERVER_CORE, scratch, port, &served)?;
    Ok(NginxCache { server, folder })
}

/// Containers often give `/dev/shm` 64 MiB. Files on disk then; hits come from the page cache.
fn nginx_cache_folder(scratch: &str) -> Outcome<PathBuf> {
    let mut df = Command::new("df");
    let said = process::capture(df.args(["--output=avail", "-BM", "/dev/shm"]))?;
    let free = said.lines().nth(1).map(|line| line.trim().trim_end_matches('M'));
    let has_room =
        free.and_then(|free| free.parse().ok()).is_some_and(|free: u32| free > 2 * MEMORY_MIB);
    if has_room {
        return Ok(PathBuf::from(format!("/dev/shm/forebay-{scratch}-{}", std::process::id())));
    }
    println!("/dev/shm has less than {} MiB: nginx keeps its files on disk", 2 * MEMORY_MIB);
    workspace::scratch(&format!("{scratch}-cache"))
}

/// nginx that keeps nothing.
pub(crate) fn nginx_pass(origin: &Server) -> Outcome<Server> {
    let port = process::free_port()?;
    let served = format!(
        "upstream origin {{ server 127.0.0.1:{}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection '';
    }}
  }}",
        origin.port
    );
    nginx("nginx", SERVER_CORE, "bench-nginx", port, &served)
}

fn nginx(name: &'static str, core: &str, folder: &str, port: u16, served: &str) -> Outcome<Server> {
    nginx_with("", name, core, folder, port, served)
}

fn nginx_with(
    modules: &str,
    name: &'static str,
    core: &str,
    folder: &str,
    port: u16,
    served: &str,
) -> Outcome<Server> {
    let folder = workspace::made(workspace::target().join("xtask").join(folder))?;
    let config = folder.join("nginx.conf");
    let text = format!(
        "{modules}
daemon off; worker_processes 1; pid nginx.pid; error_log stderr crit; user root;
worker_rlimit_nofile 65536;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
  client_body_temp_path body; proxy_temp_path temp; fastcgi_temp_path f; uwsgi_temp_path u;
  scgi_temp_path s;
  {served}
}}
"
    );
    workspace::write(&config, &text)?;
    let mut command = on_core(core, &tools::path(&tools::NGINX));
    command.arg("-p").arg(&folder).arg("-c").arg(&config).args(["-e", "stderr"]);
    started(name, &format!("bench-{name}"), &mut command, port)
}

/// Varnish with malloc storage and its built-in rules.
pub(crate) fn varnish(origin: &Server) -> Outcome<Server> {
    let port = process::free_port()?;
    let folder = workspace::scratch("bench-varnish")?;
    let mut command = on_core(SERVER_CORE, &tools::path(&tools::VARNISH));
    command.args(["-F", "-j", "none", "-n"]).arg(folder);
    command.args(["-a", &process::local(port).to_string()]);
    command.args(["-b", &process::local(origin.port).to_string()]);
    command.args(["-s", &format!("malloc,{MEMORY_MIB}M")]);
    started("Varnish", "bench-varnish", &mut command, port)
}

/// HAProxy that keeps nothing and reuses connections.
pub(crate) fn haproxy_pass(origin: &Server) -> Outcome<Server> {
    let port = process::free_port()?;
    let config = workspace::scratch("bench-haproxy")?.join("haproxy.cfg");
    let text = format!(
        "global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
listen pass
  bind 127.0.0.1:{port}
  server origin 127.0.0.1:{}
",
        origin.port
    );
    workspace::write(&config, &text)?;
    let mut command = on_core(SERVER_CORE, &tools::path(&tools::HAPROXY));
    command.args(["-db", "-f"]).arg(config);
    started("HAProxy", "bench-haproxy", &mut command, port)
}

fn started(name: &'static str, log: &str, command: &mut Command, port: u16) -> Outcome<Server> {
    let running = Running::start(log, command)?.wait_for_port(port, START_TIMEOUT)?;
    Ok(Server { name, port, running, admin: None })
}
