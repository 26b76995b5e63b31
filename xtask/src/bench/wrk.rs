//! wrk: as many requests as the server answers.

use std::time::Duration;

use crate::outcome::{Outcome, fail};
use crate::process;
use crate::tools;
use crate::workspace;

use super::keep_alive::HOST;
use super::servers;

const CONNECTIONS: &str = "64";

/// Which paths are asked for: `/<size>/0` to `/<size>/<keys - 1>`, or below a prefix.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// What stands before the number.
    pub(crate) prefix: String,
    /// How many there are.
    pub(crate) keys: usize,
}

impl Paths {
    /// All of them.
    pub(crate) fn all(&self) -> Vec<String> {
        (0..self.keys).map(|key| format!("{}{key}", self.prefix)).collect()
    }

    /// The requests are made once, so that the client's own work is the same for one key and many.
    fn script(&self) -> String {
        format!(
            "local requests = {{}}
local at = 0
function init(args)
  wrk.headers['Host'] = '{HOST}'
  for key = 0, {} do requests[key] = wrk.format('GET', '{}' .. key) end
end
function request()
  at = (at + 1) % {}
  return requests[at]
end
",
            self.keys - 1,
            self.prefix,
            self.keys
        )
    }
}

/// Requests a second.
pub(crate) fn run(port: u16, paths: &Paths, length: Duration) -> Outcome<f64> {
    let script = workspace::log("wrk-script")?.with_extension("lua");
    workspace::write(&script, &paths.script())?;
    let mut command = servers::on_client_core(&tools::path(&tools::WRK));
    command.args(["-t1", "-c", CONNECTIONS, "-d", &format!("{}s", length.as_secs().max(1))]);
    command.arg("-s").arg(script).arg(format!("http://{}", process::local(port)));
    let printed = process::capture(&mut command)?;
    if printed.contains("Non-2xx") || printed.contains("Socket errors") {
        return fail(format!("not every request was answered:\n{printed}"));
    }
    match rate(&printed) {
        Some(rate) => Ok(rate),
        None => fail(format!("wrk printed no rate:\n{printed}")),
    }
}

fn rate(printed: &str) -> Option<f64> {
    printed.lines().find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read_from_what_wrk_prints() {
        let printed =
            "  10 requests in 1.00s, 2MB read\nRequests/sec:  56123.45\nTransfer/sec: 1MB\n";
        assert_eq!(rate(printed), Some(56_123.45));
    }
}
