//! A listener that can be shut and opened again at one address: what a dead server looks like from
//! outside, and its return.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::Failure;
use crate::patience::Patience;
use crate::real::free_address;

/// Connections served at once; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 8192;

/// How long a port may take to be let go. A process that another thread is just starting holds our
/// sockets too, from its fork until it runs a program of its own.
const PORT_PATIENCE: Duration = Duration::from_secs(5);

type Serve = Arc<dyn Fn(TcpStream) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;
type Connections = Arc<Mutex<JoinSet<()>>>;

/// Accepts connections and serves each in a task of its own. Dropped, all end.
pub(crate) struct Door {
    address: SocketAddr,
    serve: Serve,
    connections: Connections,
    accepting: Option<JoinHandle<()>>,
}

impl Door {
    /// Opens one on a free port.
    pub(crate) async fn open<F, A>(serve: F) -> Result<Self, Failure>
    where
        F: Fn(TcpStream) -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        let serve: Serve = Arc::new(move |stream| Box::pin(serve(stream)));
        // Not a port of those for outgoing connections: one could take it while we are shut.
        let address = free_address()?;
        let mut door = Door { address, serve, connections: Arc::default(), accepting: None };
        door.reopen().await?;
        Ok(door)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections and refuses new ones. When this returns, it is so.
    pub(crate) async fn shut(&mut self) -> Result<(), Failure> {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            // It fails by being aborted, as it should.
            let _ = accepting.await;
        }
        let mut connections = std::mem::take(&mut *unpoisoned(&self.connections));
        connections.shutdown().await;
        let mut patience = Patience::new("the port refuses connections", PORT_PATIENCE);
        while TcpStream::connect(self.address).await.is_ok() {
            patience.again(Failure::new(format!("`{}` accepts", self.address))).await?;
        }
        Ok(())
    }

    /// Accepts again; nothing new where it does.
    pub(crate) async fn reopen(&mut self) -> Result<(), Failure> {
        if self.accepting.is_some() {
            return Ok(());
        }
        let mut patience = Patience::new("the port is free", PORT_PATIENCE);
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(error) => {
                    let act = format!("cannot listen on `{}`", self.address);
                    patience.again(Failure::from(error).during(act)).await?;
                }
            }
        };
        let accepting = accept(listener, Arc::clone(&self.serve), Arc::clone(&self.connections));
        self.accepting = Some(tokio::spawn(accepting));
        Ok(())
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
        unpoisoned(&self.connections).abort_all();
    }
}

async fn accept(listener: TcpListener, serve: Serve, connections: Connections) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        // That one connection could not be accepted says nothing of the next.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let serving = serve(stream);
        let mut connections = unpoisoned(&connections);
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            serving.await;
            drop(place);
        });
    }
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
