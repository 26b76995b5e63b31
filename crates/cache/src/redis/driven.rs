//! A connection to one server, and the task that speaks on it.
//!
//! Who asks wakes that task, and tokio would run it next: a write to the socket for each question,
//! though fifty clients ask at the same time. So it lets all that is ready run first, and then writes
//! what they asked together. Nobody waits longer for it: a worker that has nothing else to do runs it
//! at once, and one that has looks at what waits after so many steps.
//!
//! Over TLS the `redis` crate spawns the task, which writes each question by itself.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::ready;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, Pipeline, RedisConnectionInfo, RedisError, RedisFuture,
    Value,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::{AbortHandle, yield_now};

use super::options::Address;

/// Questions that wait to be written; further ones wait for their place.
const QUESTIONS_MAX: usize = 256;

/// A connection. Cloning it copies nothing; it closes when the last clone goes.
#[derive(Clone)]
pub(super) struct Driven {
    line: MultiplexedConnection,
    // None where the `redis` crate has spawned it.
    _driver: Option<Arc<Driver>>,
}

/// The task, which would go on while questions are unanswered that nobody asks any more.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Driven {
    /// Connects and logs in.
    pub(super) async fn connect(
        address: &Address,
        login: &RedisConnectionInfo,
        config: AsyncConnectionConfig,
    ) -> Result<Self, RedisError> {
        let config = config.set_pipeline_buffer_size(QUESTIONS_MAX);
        match address {
            Address::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                // A question must not wait for the answer to the one before it.
                stream.set_nodelay(true)?;
                Self::over(stream, login, config).await
            }
            Address::Unix(path) => {
                Self::over(UnixStream::connect(path).await?, login, config).await
            }
        }
    }

    /// Connects and logs in, encrypted.
    pub(super) async fn connect_encrypted(
        client: &Client,
        config: &AsyncConnectionConfig,
    ) -> Result<Self, RedisError> {
        let line = client.get_multiplexed_async_connection_with_config(config).await?;
        Ok(Self { line, _driver: None })
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        login: &RedisConnectionInfo,
        config: AsyncConnectionConfig,
    ) -> Result<Self, RedisError> {
        let (line, driver) = MultiplexedConnection::new_with_config(login, stream, config).await?;
        let driver = Driver(tokio::spawn(after_all_that_is_ready(driver)).abort_handle());
        Ok(Self { line, _driver: Some(Arc::new(driver)) })
    }
}

/// Runs a future, each time that it is woken after all that was ready then.
async fn after_all_that_is_ready(driver: impl Future<Output = ()>) {
    let (mut driver, mut rest) = (pin!(driver), pin!(Some(yield_now())));
    poll_fn(|cx| {
        if let Some(rest) = rest.as_mut().as_pin_mut() {
            ready!(rest.poll(cx));
        }
        rest.set(Some(yield_now()));
        driver.as_mut().poll(cx)
    })
    .await;
}

impl ConnectionLike for Driven {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        self.line.req_packed_command(command)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.line.req_packed_commands(commands, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.line.get_db()
    }
}
