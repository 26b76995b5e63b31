//! A small client of Redis: RESP2, one connection, one command after the other. Not the program's
//! client: what that gets wrong, this must not excuse.

use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::Failure;
use crate::wire::Wire;

/// How long a server may take to answer one command.
pub const COMMAND_PATIENCE: Duration = Duration::from_secs(5);

/// The longest line that is read.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// The longest string that is read.
const STRING_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The most members of one array.
const MEMBERS_MAX: usize = 1 << 20;

/// How deep arrays may lie in arrays.
const DEPTH_MAX: usize = 8;

/// What a server says to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A short word, such as `OK`.
    Status(String),
    /// A refusal, its kind first: `OOM command not allowed …`.
    Error(String),
    /// A number.
    Integer(i64),
    /// A value.
    Bytes(Vec<u8>),
    /// Nothing there.
    Nil,
    /// Several of these.
    Array(Vec<Reply>),
}

/// One connection to a server.
pub struct Connection {
    wire: BufReader<Wire>,
}

impl Connection {
    /// Speaks over this connection.
    pub fn over(wire: Wire) -> Self {
        Connection { wire: BufReader::new(wire) }
    }

    /// Connects over TCP.
    pub async fn tcp(address: SocketAddr) -> Result<Self, Failure> {
        let connecting = timeout(COMMAND_PATIENCE, TcpStream::connect(address)).await;
        let failed = |why: String| Failure::new(format!("cannot connect to `{address}`: {why}"));
        let stream = connecting.map_err(|_| failed("it takes too long".to_owned()))?;
        let stream = stream.map_err(|error| failed(error.to_string()))?;
        stream.set_nodelay(true)?;
        Ok(Connection::over(Box::new(stream)))
    }

    /// Connects over a socket in the file system.
    pub async fn unix(path: &Path) -> Result<Self, Failure> {
        let stream = UnixStream::connect(path).await;
        let stream = stream.map_err(|error| {
            Failure::from(error).during(format!("cannot connect to `{}`", path.display()))
        })?;
        Ok(Connection::over(Box::new(stream)))
    }

    /// Says a command and reads its reply. That the server refuses is a reply as well.
    pub async fn command<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<Reply, Failure> {
        let spoken = async {
            self.wire.write_all(&encoded(words)).await?;
            self.wire.flush().await?;
            self.read(0).await
        };
        let spoken = timeout(COMMAND_PATIENCE, spoken).await;
        let spoken = spoken.unwrap_or_else(|_| {
            Err(Failure::new(format!("no answer within {COMMAND_PATIENCE:?}")))
        });
        let first = words.first().map(|word| String::from_utf8_lossy(word.as_ref()));
        spoken.map_err(|why| why.during(format!("cannot say `{}`", first.unwrap_or_default())))
    }

    /// The next thing that the server says by itself, such as a message to a subscriber.
    pub async fn next(&mut self, patience: Duration) -> Result<Reply, Failure> {
        let read = timeout(patience, self.read(0)).await;
        read.unwrap_or_else(|_| Err(Failure::new(format!("nothing came within {patience:?}"))))
    }

    fn read(
        &mut self,
        depth: usize,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send + '_>> {
        Box::pin(async move {
            let line = self.line().await?;
            let (kind, rest) = line.split_at_checked(1).unwrap_or((&line, ""));
            match kind {
                "+" => Ok(Reply::Status(rest.to_owned())),
                "-" => Ok(Reply::Error(rest.to_owned())),
                ":" => Ok(Reply::Integer(number(rest)?)),
                "$" => self.string(number(rest)?).await,
                "*" => self.array(number(rest)?, depth + 1).await,
                other => Err(Failure::new(format!("`{other}` begins no reply"))),
            }
        })
    }

    async fn string(&mut self, length: i64) -> Result<Reply, Failure> {
        let Ok(length) = usize::try_from(length) else { return Ok(Reply::Nil) };
        if length > STRING_BYTES_MAX {
            return Err(Failure::new(format!("a string of {length} bytes is too long")));
        }
        let mut bytes = vec![0; length + 2];
        self.wire.read_exact(&mut bytes).await?;
        bytes.truncate(length);
        Ok(Reply::Bytes(bytes))
    }

    async fn array(&mut self, length: i64, depth: usize) -> Result<Reply, Failure> {
        let Ok(length) = usize::try_from(length) else { return Ok(Reply::Nil) };
        if length > MEMBERS_MAX || depth > DEPTH_MAX {
            return Err(Failure::new(format!("an array of {length}, {depth} deep, is too much")));
        }
        let mut members = Vec::new();
        for _ in 0..length {
            members.push(self.read(depth).await?);
        }
        Ok(Reply::Array(members))
    }

    async fn line(&mut self) -> Result<String, Failure> {
        let mut line = Vec::new();
        (&mut self.wire).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
        match line.strip_suffix(b"\r\n") {
            Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
            None => Err(Failure::new("the server closed the connection, or its line has no end")),
        }
    }
}

impl Reply {
    /// A word or value as text; a failure if it is neither.
    pub fn text(&self) -> Result<String, Failure> {
        match self {
            Reply::Status(text) => Ok(text.clone()),
            Reply::Bytes(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
            Reply::Error(_) | Reply::Integer(_) | Reply::Nil | Reply::Array(_) => {
                Err(self.instead_of("text"))
            }
        }
    }

    /// The number; a failure if it is none.
    pub fn integer(&self) -> Result<i64, Failure> {
        match self {
            Reply::Integer(number) => Ok(*number),
            Reply::Status(_) | Reply::Error(_) | Reply::Bytes(_) | Reply::Nil | Reply::Array(_) => {
                Err(self.instead_of("a number"))
            }
        }
    }

    /// The members; a failure if it is no array.
    pub fn members(&self) -> Result<&[Reply], Failure> {
        match self {
            Reply::Array(members) => Ok(members),
            Reply::Status(_)
            | Reply::Error(_)
            | Reply::Integer(_)
            | Reply::Bytes(_)
            | Reply::Nil => Err(self.instead_of("an array")),
        }
    }

    /// A failure if the server did not say `OK`.
    pub fn ok(&self) -> Result<(), Failure> {
        if *self == Reply::Status("OK".to_owned()) { Ok(()) } else { Err(self.instead_of("`OK`")) }
    }

    fn instead_of(&self, wanted: &str) -> Failure {
        Failure::new(format!("the server said {self:?} instead of {wanted}"))
    }
}

fn encoded<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words.iter().map(AsRef::as_ref) {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn number(text: &str) -> Result<i64, Failure> {
    text.parse().map_err(|_| Failure::new(format!("`{text}` is no number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn said(bytes: &[u8]) -> Result<Reply, Failure> {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        theirs.write_all(bytes).await.unwrap();
        drop(theirs);
        Connection::over(Box::new(ours)).next(COMMAND_PATIENCE).await
    }

    #[tokio::test]
    async fn each_kind_of_reply_is_read() {
        let check = async |bytes: &str, reply: Reply| {
            assert_eq!(said(bytes.as_bytes()).await, Ok(reply), "{bytes:?}");
        };
        check("+OK\r\n", Reply::Status("OK".into())).await;
        check("-OOM no\r\n", Reply::Error("OOM no".into())).await;
        check(":-7\r\n", Reply::Integer(-7)).await;
        check("$3\r\na\r\n\r\n", Reply::Bytes(b"a\r\n".into())).await;
        check("$-1\r\n", Reply::Nil).await;
        check("*2\r\n:1\r\n*0\r\n", Reply::Array(vec![Reply::Integer(1), Reply::Array(vec![])]))
            .await;
    }

    #[tokio::test]
    async fn what_is_no_reply_is_a_failure() {
        let deep = "*1\r\n".repeat(DEPTH_MAX + 1) + ":1\r\n";
        for bytes in ["", "+OK", "?\r\n", ":x\r\n", "$5\r\nab", "\r\n", "ü\r\n", &deep] {
            assert!(said(bytes.as_bytes()).await.is_err(), "{bytes:?}");
        }
        let huge = format!("${}\r\n", STRING_BYTES_MAX + 1);
        assert!(said(huge.as_bytes()).await.is_err());
    }

    #[test]
    fn words_are_bytes() {
        assert_eq!(encoded(&[&b"GET"[..], b"a\r\n"]), b"*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n");
    }
}
