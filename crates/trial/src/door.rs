//! A listener that can be shut and opened again at one address: what a dead server looks like from
//! outside, and its return.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::Failure;
use crate::real::free_address;

/// Connections served at once; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 8192;

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
    pub(crate) async fn shut(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            // It fails by being aborted, as it should.
            let _ = accepting.await;
        }
        let mut connections = std::mem::take(&mut *unpoisoned(&self.connections));
        connections.shutdown().await;
    }

    /// Accepts again; nothing new where it does.
    pub(crate) async fn reopen(&mut self) -> Result<(), Failure> {
        if self.accepting.is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(self.address).await.map_err(|error| {
            Failure::from(error).during(format!("cannot listen on `{}`", self.address))
        })?;
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
