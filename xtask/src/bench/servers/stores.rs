//! Servers that keep what they have beyond their memory, and what they keep it in.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::outcome::{Outcome, Trying, fail};
use crate::process;
use crate::tools;
use crate::workspace;

use super::{Admin, CLIENT_CORE, SERVER_CORE, Server, nginx_with, on_core, started};
use crate::bench::keep_alive::Client;

const DISK_SIZE: &str = "4GiB";

/// The program with next to no memory over a disk of its own.
pub(crate) fn forebay_disk(program: &Path, origin: &Server) -> Outcome<Server> {
    let folder = workspace::scratch("bench-disk")?;
    let flags = ["--disk".to_owned(), format!("{}:{DISK_SIZE}", folder.display())];
    forebay_over(program, origin, "4MiB", &flags)
}

/// The program over this Redis, which trusts what it has while it hears nothing of purges: else a
/// Redis that is away makes conditional requests of its hits.
pub(crate) fn forebay_redis(
    program: &Path,
    origin: &Server,
    store: u16,
    memory: &str,
) -> Outcome<Server> {
    let text = format!("[redis]\nurl = \"redis://{}\"\n{TRUSTS}", process::local(store));
    forebay_told(program, origin, memory, "bench-trusting", &text)
}

/// The program with a file of these lines, and this memory.
pub(crate) fn forebay_told(
    program: &Path,
    origin: &Server,
    memory: &str,
    name: &str,
    lines: &str,
) -> Outcome<Server> {
    let file = workspace::scratch(name)?.join("forebay.toml");
    workspace::write(&file, lines)?;
    let flags = ["--config".to_owned(), file.display().to_string()];
    forebay_over(program, origin, memory, &flags)
}

const TRUSTS: &str = "[purge]\nin_doubt = \"serve\"\n";

fn forebay_over(
    program: &Path,
    origin: &Server,
    memory: &str,
    flags: &[String],
) -> Outcome<Server> {
    let (port, admin) = (process::free_port()?, process::free_port()?);
    let mut words = vec![program.display().to_string(), "run".to_owned()];
    words.extend(["--to".to_owned(), format!("http://{}", process::local(origin.port))]);
    words.extend(["--listen".to_owned(), process::local(port).to_string()]);
    words.extend(["--admin".to_owned(), process::local(admin).to_string()]);
    words.extend(["--memory", memory, "--workers", "1", "--log", "off"].map(str::to_owned));
    words.extend_from_slice(flags);
    forebay_of(Admin { port: admin, words }, port)
}

fn forebay_of(admin: Admin, port: u16) -> Outcome<Server> {
    let [program, arguments @ ..] = &admin.words[..] else { return fail("no program") };
    let mut command = on_core(SERVER_CORE, Path::new(program));
    command.args(arguments);
    let server = started("forebay", "bench-forebay", &mut command, port)?;
    Ok(Server { admin: Some(admin), ..server })
}

impl Server {
    /// Where operators are answered.
    pub(crate) fn admin_port(&self) -> Outcome<u16> {
        self.admin.as_ref().map_or_else(|| fail("only the program has one"), |at| Ok(at.port))
    }

    /// A number of the program's metrics; 0 where it is not there.
    pub(crate) fn metric(&self, name: &str) -> Outcome<f64> {
        let Some(admin) = &self.admin else { return fail("only the program has metrics") };
        // Without a token the admin listener answers to names of this machine alone.
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let text = Client::connect(admin.port)?.answer_to(request)?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(Ok(0.0), |value| value.trim().parse().trying(format!("read `{name}`")))
    }

    /// Kills it (SIGKILL).
    pub(crate) fn kill(&mut self) -> Outcome {
        self.running.kill()
    }

    /// Starts the program again as it was.
    pub(crate) fn again(self) -> Outcome<Server> {
        let port = self.port;
        let Some(admin) = self.admin else { return fail("only the program is started again") };
        drop(self.running);
        forebay_of(admin, port)
    }

    /// Stops it for a while (SIGSTOP).
    pub(crate) fn pause(&self) -> Outcome {
        self.signal("-STOP")
    }

    /// Lets it go on (SIGCONT).
    pub(crate) fn resume(&self) -> Outcome {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> Outcome {
        process::run(Command::new("kill").args([signal, &self.running.id().to_string()]))
    }
}

/// A Redis on the client's core that keeps nothing on disk.
pub(crate) fn redis(name: &'static str) -> Outcome<Server> {
    let port = process::free_port()?;
    let folder = workspace::scratch(name)?;
    let mut command = on_core(CLIENT_CORE, &tools::path(&tools::REDIS));
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(folder);
    started(name, name, &mut command, port)
}

/// nginx whose Lua keeps whole responses in Redis, as the scheme goes: status, fields and body in one
/// value under a digest; its time to live says whether it is fresh; a miss asks the origin, and stores.
pub(crate) fn nginx_lua_redis(origin: &Server, store: u16) -> Outcome<Server> {
    let port = process::free_port()?;
    let modules = "load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;";
    let served = format!(
        "lua_package_path '/usr/share/lua/5.1/?.lua;;';
  lua_package_cpath '/usr/lib/x86_64-linux-gnu/lua/5.1/?.so;/usr/lib/lua/5.1/?.so;;';
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location /origin/ {{
      internal; rewrite ^/origin(/.*)$ $1 break;
      proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection '';
    }}
    location / {{
      content_by_lua_block {{
        local json = require('cjson.safe')
        local store = require('nginx.redis'):new()
        store:set_timeout(1000)
        assert(store:connect('127.0.0.1', {store}))
        local key = 'lua:' .. ngx.md5(ngx.var.host .. '|' .. ngx.var.request_uri)
        local left, kept = store:ttl(key), nil
        if tonumber(left) and tonumber(left) > 0 then
          local value = store:get(key)
          kept = value and value ~= ngx.null and json.decode(value)
        end
        if not kept then
          local got = ngx.location.capture('/origin' .. ngx.var.request_uri)
          kept = {{ status = got.status, fields = got.header, body = got.body }}
          store:set(key, json.encode(kept))
          store:expire(key, 86400)
        end
        store:set_keepalive(60000, 1024)
        ngx.status = kept.status
        for name, value in pairs(kept.fields) do ngx.header[name] = value end
        ngx.header['Content-Length'] = #kept.body
        ngx.header['X-Cache'] = left and 'HIT' or 'MISS'
        ngx.print(kept.body)
      }}
    }}
  }}",
        origin = origin.port
    );
    nginx_with(modules, "nginx, Lua, Redis", SERVER_CORE, "bench-nginx-lua", port, &served)
}

/// Makes the next reads come from the disk, where this machine lets us; says whether it does.
pub(crate) fn drop_page_cache() -> bool {
    let sync = Command::new("sync").status().is_ok_and(|status| status.success());
    sync && std::fs::write(PathBuf::from("/proc/sys/vm/drop_caches"), "3").is_ok()
}
