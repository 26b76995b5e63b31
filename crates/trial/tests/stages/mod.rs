//! A stage with the least gateway there is: it passes bytes through and keeps nothing.

use std::io;
use std::time::{Duration, SystemTime};

use forebay_trial::Failure;
use forebay_trial::origin::Origin;
use forebay_trial::stage::{Passed, Stage};
use forebay_trial::wire::Wire;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

/// Bytes that wait in one direction.
const PIPE_BYTES: usize = 64 * 1024;

/// The stage.
pub(crate) struct PassThrough {
    origin: Origin,
    began: Instant,
}

impl PassThrough {
    /// With an origin that takes connections.
    pub(crate) fn new() -> Self {
        PassThrough { origin: Origin::new(), began: Instant::now() }
    }
}

impl Stage for PassThrough {
    async fn dial(&self) -> io::Result<Wire> {
        let (client, mut gateway) = tokio::io::duplex(PIPE_BYTES);
        let origin = self.origin.clone();
        tokio::spawn(async move {
            match origin.dial() {
                Ok(mut wire) => {
                    let _ = tokio::io::copy_bidirectional(&mut gateway, &mut wire).await;
                }
                Err(_) => {
                    let refusal = b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n";
                    let _ = gateway.write_all(refusal).await;
                    let _ = gateway.shutdown().await;
                }
            }
        });
        Ok(Box::new(client))
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    async fn shut_origin(&mut self) -> Result<(), Failure> {
        self.origin.shut().await;
        Ok(())
    }

    async fn open_origin(&mut self) -> Result<(), Failure> {
        self.origin.open();
        Ok(())
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + self.began.elapsed()
    }

    async fn pass(&self, span: Duration) -> Passed {
        tokio::time::sleep(span).await;
        Passed::Gone
    }

    fn moment(&self) -> Duration {
        Duration::from_millis(1)
    }
}
