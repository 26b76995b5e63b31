//! What these trials share: the program with certificates, an origin that shows what it hears, and
//! clients that speak TLS.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use forebay_trial::client::Client;
use forebay_trial::folder::Folder;
use forebay_trial::process;
use forebay_trial::real::{Gateway, free_address};
use forebay_trial::script::Table;
use forebay_trial::wire::{BodyReader, Message, MessageReader};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{
    self, AlertDescription, ClientConfig, SupportedProtocolVersion, version,
};

use crate::authority::{Authority, Issued};

/// How long anything may take that is expected to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The program with certificates, before an origin. Dropped, all end.
pub(crate) struct Stage {
    pub(crate) gateway: Gateway,
    /// Where TLS is spoken.
    pub(crate) secured: SocketAddr,
    pub(crate) authority: Authority,
    /// What each certificate is, in the order of their names.
    pub(crate) issued: Vec<Issued>,
    pub(crate) folder: Folder,
    origin: AbortHandle,
    origin_address: SocketAddr,
    tables: Vec<Table>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.origin.abort();
    }
}

impl Stage {
    /// With a certificate for each of these lists of names.
    pub(crate) async fn start(certificates: &[&[&str]]) -> Self {
        Stage::with(certificates, &[]).await
    }

    /// The same with lines in the configuration: of which table, and the line. Lines of
    /// `certificate N` are that certificate's.
    pub(crate) async fn with(certificates: &[&[&str]], lines: &[(&str, &str)]) -> Self {
        let folder = Folder::new("tls").expect("a folder");
        Stage::within(folder, Authority::new(), certificates, lines).await
    }

    /// The same with what lies in this folder already, and by this authority.
    pub(crate) async fn within(
        folder: Folder,
        authority: Authority,
        certificates: &[&[&str]],
        lines: &[(&str, &str)],
    ) -> Self {
        let secured = free_address().expect("a free port");
        let issued: Vec<Issued> = certificates.iter().map(|names| authority.issue(names)).collect();
        let mut own = vec!["reload_interval = \"100ms\"".to_owned()];
        if !lines.iter().any(|line| line.0 == "tls" && line.1.starts_with("listen")) {
            own.push(format!("listen = [\"{secured}\"]"));
        }
        let mut tables = vec![Table { name: "tls".to_owned(), lines: own }];
        for (place, one) in issued.iter().enumerate() {
            write(&folder, place, one);
            let mut table = certificate(&folder, place);
            let name = format!("certificate {place}");
            let own = lines.iter().filter(|line| line.0 == name);
            table.lines.extend(own.map(|line| line.1.to_owned()));
            tables.push(table);
        }
        for (name, line) in lines.iter().filter(|line| !line.0.starts_with("certificate")) {
            match tables.iter_mut().find(|table| table.name == *name) {
                Some(table) => table.lines.push((*line).to_owned()),
                None => {
                    tables.push(Table { name: (*name).to_owned(), lines: vec![(*line).to_owned()] })
                }
            }
        }
        let (address, origin) = mirror().await;
        let gateway = Gateway::start(&program(), address, &tables).await;
        let gateway = gateway.unwrap_or_else(|failure| panic!("{failure}"));
        Stage {
            gateway,
            secured,
            authority,
            issued,
            folder,
            origin,
            origin_address: address,
            tables,
        }
    }

    /// Has the program read its file again, in which these lines stand in the place of what they say
    /// of the same keys; what it said, and whether it took the file.
    pub(crate) async fn reload(&mut self, lines: &[(&str, &str)]) -> (bool, String) {
        for (name, line) in lines {
            set(&mut self.tables, name, line);
        }
        self.reload_as_it_is().await
    }

    /// The same with one more certificate, which is in files already.
    pub(crate) async fn reload_with(&mut self, place: usize) -> (bool, String) {
        let table = certificate(&self.folder, place);
        self.tables.push(table);
        self.reload_as_it_is().await
    }

    /// What stands in its file.
    pub(crate) fn tables(&self) -> Vec<Table> {
        self.tables.clone()
    }

    /// The same with these tables.
    pub(crate) async fn reload_to(&mut self, tables: Vec<Table>) -> (bool, String) {
        self.tables = tables;
        self.reload_as_it_is().await
    }

    async fn reload_as_it_is(&self) -> (bool, String) {
        self.gateway.rewrite(self.origin_address, &self.tables).expect("its file is written");
        let admin = self.gateway.admin.to_string();
        let mut command = tokio::process::Command::new(program());
        command.args(["reload", "--admin", &admin]).kill_on_drop(true);
        let typed = tokio::time::timeout(PATIENCE, command.output()).await;
        let typed = typed.expect("it is answered").expect("it runs");
        let said = [typed.stdout, typed.stderr].concat();
        (typed.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Puts another certificate in the place of one.
    pub(crate) fn replace(&self, place: usize, one: &Issued) {
        write(&self.folder, place, one);
    }

    /// How a client speaks TLS that trusts the authority and offers these protocols.
    pub(crate) fn terms(&self, protocols: &[&str]) -> ClientConfig {
        self.terms_of(protocols, &[&version::TLS13, &version::TLS12])
    }

    /// The same in these versions.
    pub(crate) fn terms_of(
        &self,
        protocols: &[&str],
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions that there are")
            .with_root_certificates(self.authority.roots())
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }

    /// A connection that is secured as this host's.
    pub(crate) async fn secure(
        &self,
        host: &str,
        config: ClientConfig,
    ) -> io::Result<TlsStream<TcpStream>> {
        shake(self.secured, host, Arc::new(config)).await
    }

    /// A client of this host that speaks HTTP/1.
    pub(crate) async fn client(&self, host: &str) -> Client {
        let stream = self.secure(host, self.terms(&["http/1.1"])).await;
        Client::over(Box::new(stream.unwrap_or_else(|error| panic!("{error}{}", self.words()))))
    }

    /// What a new client of this host gets for this path.
    pub(crate) async fn get(&self, host: &str, path: &str) -> Message {
        self.ask_as(host, host, path).await
    }

    /// What a client gets whose connection is one host's and whose request is for another.
    pub(crate) async fn ask_as(&self, secured_for: &str, host: &str, path: &str) -> Message {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = self.client(secured_for).await.ask(&request, PATIENCE).await;
        answer.unwrap_or_else(|failure| panic!("{failure}{}", self.words()))
    }

    /// The alert with which a client of this host is refused.
    pub(crate) async fn alert(&self, host: &str, config: ClientConfig) -> AlertDescription {
        match self.secure(host, config).await {
            Ok(_) => panic!("{host} was not refused"),
            Err(error) => alert_in(&error).unwrap_or_else(|| panic!("no alert: {error}")),
        }
    }

    /// One of the numbers under /metrics.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        self.gateway.metric(name).await.unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// What the gateway said.
    pub(crate) fn words(&self) -> String {
        format!("\nthe gateway said:\n{}", self.gateway.process.output())
    }
}

/// The table of a certificate in files.
fn certificate(folder: &Folder, place: usize) -> Table {
    let file = |ending: &str| folder.path().join(format!("{place}.{ending}"));
    let lines = vec![
        format!("certificate_file = \"{}\"", file("pem").display()),
        format!("key_file = \"{}\"", file("key").display()),
    ];
    Table { name: "[tls.certificate]".to_owned(), lines }
}

/// Puts a line in the place of that for the same key.
fn set(tables: &mut Vec<Table>, name: &str, line: &str) {
    let key = |line: &str| line.split(" = ").next().unwrap_or_default().to_owned();
    let Some(table) = tables.iter_mut().find(|table| table.name == name) else {
        return tables.push(Table { name: name.to_owned(), lines: vec![line.to_owned()] });
    };
    table.lines.retain(|old| key(old) != key(line));
    table.lines.push(line.to_owned());
}

pub(crate) fn write(folder: &Folder, place: usize, one: &Issued) {
    folder.write(&format!("{place}.key"), &one.key).expect("a file");
    folder.write(&format!("{place}.pem"), &one.certificate).expect("a file");
}

/// Shakes hands as a client of this host.
pub(crate) async fn shake(
    address: SocketAddr,
    host: &str,
    config: Arc<ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(host.to_owned()).expect("a host");
    tokio::time::timeout(PATIENCE, TlsConnector::from(config).connect(name, stream)).await?
}

/// The alert that made an error, if one did.
pub(crate) fn alert_in(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

/// The built program; says how to build it where there is none.
pub(crate) fn program() -> PathBuf {
    process::forebay().unwrap_or_else(|failure| panic!("{failure}"))
}

/// A message's body as text.
pub(crate) fn text(message: &Message) -> String {
    String::from_utf8_lossy(&message.body).into_owned()
}

/// An origin whose answers show the whole request, and may be kept.
async fn mirror() -> (SocketAddr, AbortHandle) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let accepting = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(answer(stream));
        }
    });
    (address, accepting.abort_handle())
}

async fn answer(stream: TcpStream) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = MessageReader::new(reader);
    while let Ok(Some(head)) = reader.head().await {
        let Ok(framing) = BodyReader::of_request(&head) else { return };
        let Ok(message) = reader.rest(head, framing).await else { return };
        let shown = message.head.raw.clone();
        let front = format!(
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: {}\r\n\r\n",
            shown.len()
        );
        if writer.write_all(&[front.as_bytes(), &shown].concat()).await.is_err() {
            return;
        }
    }
}
