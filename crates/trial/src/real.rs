//! The real stage: the built program, sockets, and time as it is.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::Failure;
use crate::client::Client;
use crate::metrics::Metrics;
use crate::origin::Origin;
use crate::process::Process;
use crate::script::Table;
use crate::stage::{Passed, Stage};
use crate::wire::Wire;

/// The longest span that a script waits for real.
pub const WAIT_MAX: Duration = Duration::from_secs(3);

/// How long the program may take until it accepts connections.
const START_PATIENCE: Duration = Duration::from_secs(15);

/// How long nothing must happen until nothing is believed to happen.
const MOMENT: Duration = Duration::from_millis(80);

/// How long a fetch that was answered is waited for, and how often it is looked.
const LANDING_PATIENCE: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(5);

/// How long the program may take to tell its numbers.
const METRICS_PATIENCE: Duration = Duration::from_secs(30);

/// Ports below those that systems give to outgoing connections.
const PORTS: std::ops::Range<u16> = 18_000..31_000;

/// The program before an origin of this process.
pub struct Real {
    gateway: Gateway,
    origin: Origin,
    address: SocketAddr,
    accepting: Option<AbortHandle>,
}

/// The program, running on ports of its own. Dropped, it is killed and its file removed.
pub struct Gateway {
    /// The process.
    pub process: Process,
    /// Where clients are accepted.
    pub address: SocketAddr,
    /// Where operators are answered.
    pub admin: SocketAddr,
    file: PathBuf,
}

impl Real {
    /// Starts the program before a new origin, with these tables in its configuration.
    pub async fn start(program: &Path, tables: &[Table]) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let origin = Origin::new();
        let accepting = Some(accept(listener, origin.clone()));
        let gateway = Gateway::start(program, address, tables).await?;
        Ok(Real { gateway, origin, address, accepting })
    }

    /// The program.
    pub fn gateway(&mut self) -> &mut Gateway {
        &mut self.gateway
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
        }
    }
}

impl Stage for Real {
    async fn dial(&self) -> io::Result<Wire> {
        let stream = TcpStream::connect(self.gateway.address).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    async fn shut_origin(&mut self) -> Result<(), Failure> {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
        }
        self.origin.shut().await;
        // The task lets go of the socket when it is next looked at.
        tokio::time::sleep(MOMENT).await;
        Ok(())
    }

    async fn open_origin(&mut self) -> Result<(), Failure> {
        let listener = TcpListener::bind(self.address).await?;
        self.origin.open();
        self.accepting = Some(accept(listener, self.origin.clone()));
        Ok(())
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    async fn pass(&self, span: Duration) -> Passed {
        if span > WAIT_MAX {
            return Passed::TooLong;
        }
        tokio::time::sleep(span).await;
        Passed::Gone
    }

    async fn landed(&self, open: usize) {
        let landing = async {
            while self.gateway.flights().await.is_some_and(|flights| flights > open) {
                tokio::time::sleep(LOOK).await;
            }
        };
        let _ = tokio::time::timeout(LANDING_PATIENCE, landing).await;
    }

    fn moment(&self) -> Duration {
        MOMENT
    }
}

impl Gateway {
    /// Starts the program before an origin at this address and waits until it accepts.
    pub async fn start(
        program: &Path,
        origin: SocketAddr,
        tables: &[Table],
    ) -> Result<Self, Failure> {
        let (address, admin) = (free_address()?, free_address()?);
        let file = temporary_file();
        std::fs::write(&file, configuration(address, admin, origin, tables))?;
        let path = file.to_string_lossy().into_owned();
        let process = Process::start(program, &["run", "--config", &path])?;
        let mut gateway = Gateway { process, address, admin, file };
        gateway.accepts().await?;
        Ok(gateway)
    }

    /// How many fetches are under way that several requests may share; nothing where the program
    /// does not say it.
    async fn flights(&self) -> Option<usize> {
        let flights =
            self.metrics_within(LANDING_PATIENCE).await.ok()?.written("forebay_flights")?;
        Some(flights as usize)
    }

    /// Writes other tables into its file, before the same origin; it reads them when it is told to. As
    /// editors do it: whoever reads meanwhile reads the old file or the new one.
    pub fn rewrite(&self, origin: SocketAddr, tables: &[Table]) -> Result<(), Failure> {
        let next = self.file.with_extension("next");
        std::fs::write(&next, configuration(self.address, self.admin, origin, tables))?;
        Ok(std::fs::rename(next, &self.file)?)
    }

    /// One of the numbers that it tells operators, as it is written there: a name, or a name with
    /// labels. A failure shows what there is.
    pub async fn metric(&self, written: &str) -> Result<u64, Failure> {
        let metrics = self.metrics_within(METRICS_PATIENCE).await?;
        let number = metrics.written(written).ok_or_else(|| {
            Failure::new(format!("no metric `{written}` among {:?}", metrics.names()))
        })?;
        Ok(number as u64)
    }

    async fn metrics_within(&self, patience: Duration) -> Result<Metrics, Failure> {
        let mut operator = Client::connect(self.admin).await?;
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let told = operator.ask(request, patience).await?;
        Metrics::parse(&String::from_utf8_lossy(&told.body))
    }

    async fn accepts(&mut self) -> Result<(), Failure> {
        let begun = tokio::time::Instant::now();
        loop {
            if let Some(status) = self.process.ended() {
                // The last words are still on their way.
                tokio::time::sleep(MOMENT).await;
                let said = self.process.output();
                return Err(Failure::new(format!(
                    "the gateway ended ({status}); it said:\n{said}"
                )));
            }
            if TcpStream::connect(self.address).await.is_ok() {
                return Ok(());
            }
            if begun.elapsed() > START_PATIENCE {
                let said = self.process.output();
                return Err(Failure::new(format!(
                    "the gateway accepts nothing at {} after {START_PATIENCE:?}; it said:\n{said}",
                    self.address
                )));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

/// The configuration of a gateway with one route before one origin, or before those that `to` of
/// the table `route` names.
pub fn configuration(
    listen: SocketAddr,
    admin: SocketAddr,
    origin: SocketAddr,
    tables: &[Table],
) -> String {
    let listeners = format!("listen = [\"{listen}\"]\nadmin = \"{admin}\"\n");
    listeners + &without_listeners(&format!("http://{origin}"), tables)
}

/// The same without its listeners, as the simulator needs it.
pub fn without_listeners(origin: &str, tables: &[Table]) -> String {
    let mut text = lines_of("gateway", tables);
    if !says(tables, "access_log") {
        text.push_str("access_log = \"text\"\n");
    }
    let named = tables.iter().filter(|table| table.name != "gateway" && table.name != "route");
    for table in named {
        text.push_str(&format!("[{}]\n{}\n", table.name, table.lines.join("\n")));
    }
    text.push_str("[[route]]\n");
    if !says(tables, "to = ") {
        text.push_str(&format!("to = [\"{origin}\"]\n"));
    }
    if !says(tables, "early_refresh") {
        // It refreshes by chance, and chance has no place in a story.
        text.push_str("early_refresh = 0\n");
    }
    text + &lines_of("route", tables)
}

fn says(tables: &[Table], key: &str) -> bool {
    tables.iter().flat_map(|table| &table.lines).any(|line| line.starts_with(key))
}

fn lines_of(name: &str, tables: &[Table]) -> String {
    let lines = tables.iter().filter(|table| table.name == name).flat_map(|table| &table.lines);
    lines.map(|line| format!("{line}\n")).collect()
}

fn accept(listener: TcpListener, origin: Origin) -> AbortHandle {
    let accepting = async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            origin.serve(Box::new(stream));
        }
    };
    tokio::spawn(accepting).abort_handle()
}

/// An address on which nobody listens. Each call of this process gives another one, and other
/// processes begin elsewhere, so that two trials do not take the same.
pub fn free_address() -> Result<SocketAddr, Failure> {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let places = PORTS.end - PORTS.start;
    let begin = u16::try_from(std::process::id().wrapping_mul(37) % u32::from(places)).unwrap_or(0);
    for _ in 0..1000 {
        let offset = begin.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % places;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORTS.start + offset));
        if std::net::TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err(Failure::new(format!("no free port on 127.0.0.1 among {PORTS:?}")))
}

fn temporary_file() -> PathBuf {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("forebay-trial-{}-{number}.toml", std::process::id()))
}
