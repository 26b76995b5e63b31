//! What runs during a conformance suite: its origin, and the gateway before it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::outcome::Outcome;
use crate::process::{self, Running};
use crate::tools;
use crate::workspace;

/// How long a program may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(15);

/// Which policies the gateway is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policies {
    /// None: its own defaults.
    Safe,
    /// Those that http-cache-tests expects: `xtask/conformance/obeying.toml`.
    Obeying,
}

/// An origin of a suite, running.
pub(crate) struct Origin {
    _running: Running,
    port: u16,
}

impl Origin {
    /// That of http-cache-tests, on a free port.
    pub(crate) fn cache_tests() -> Outcome<Origin> {
        Origin::cache_tests_on(process::free_port()?)
    }

    /// That of http-cache-tests, on this port.
    pub(crate) fn cache_tests_on(port: u16) -> Outcome<Origin> {
        Origin::start("origin.mjs", port)
    }

    /// One that echoes WebSocket messages and answers any request.
    pub(crate) fn echo() -> Outcome<Origin> {
        Origin::start("echo.mjs", process::free_port()?)
    }

    /// Its address.
    pub(crate) fn address(&self) -> String {
        process::local(self.port).to_string()
    }

    fn start(script: &str, port: u16) -> Outcome<Origin> {
        let mut command = tools::system(&tools::NODE);
        command.current_dir(tools::node_packages()?).arg(script).env("PORT", port.to_string());
        let running = Running::start(script, &mut command)?.wait_for_port(port, START_TIMEOUT)?;
        Ok(Origin { _running: running, port })
    }
}

/// A gateway, running.
pub(crate) struct Gateway {
    _running: Running,
    port: u16,
}

impl Gateway {
    /// Where it is asked.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Its address.
    pub(crate) fn address(&self) -> String {
        process::local(self.port).to_string()
    }
}

/// Starts the program before an origin.
pub(crate) fn forebay(program: &Path, origin: &Origin, policies: Policies) -> Outcome<Gateway> {
    let (port, admin) = (process::free_port()?, process::free_port()?);
    let mut command = Command::new(program);
    command.arg("run").args(["--to", &format!("http://{}", origin.address())]);
    command.args(["--listen", &process::local(port).to_string()]);
    command.args(["--admin", &process::local(admin).to_string()]);
    command.args(["--memory", "64MiB", "--log", "off"]);
    match policies {
        Policies::Safe => {}
        Policies::Obeying => {
            command.arg("--config").arg(workspace::root().join("xtask/conformance/obeying.toml"));
        }
    }
    let running = Running::start("forebay", &mut command)?.wait_for_port(port, START_TIMEOUT)?;
    Ok(Gateway { _running: running, port })
}

/// Starts nginx before an origin, configured as the suite's own page does, and passing upgrades.
pub(crate) fn nginx(origin: &Origin) -> Outcome<Gateway> {
    tools::need(&[tools::NGINX])?;
    let port = process::free_port()?;
    let folder = workspace::scratch("conformance-nginx")?;
    let config = folder.join("nginx.conf");
    workspace::write(&config, &nginx_config(port, &origin.address()))?;
    let mut command = tools::system(&tools::NGINX);
    command.arg("-p").arg(&folder).arg("-c").arg(&config).args(["-e", "stderr"]);
    let running = Running::start("nginx", &mut command)?.wait_for_port(port, START_TIMEOUT)?;
    Ok(Gateway { _running: running, port })
}

fn nginx_config(port: u16, origin: &str) -> String {
    format!(
        "daemon off; worker_processes 1; pid nginx.pid; error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path temp; fastcgi_temp_path f; uwsgi_temp_path u;
  scgi_temp_path s; proxy_cache_path cache levels=1:2 keys_zone=kept:8m inactive=600m;
  map $http_upgrade $connection_field {{ default upgrade; '' ''; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://{origin};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_field;
      proxy_cache kept;
      proxy_cache_revalidate on;
    }}
  }}
}}
"
    )
}
