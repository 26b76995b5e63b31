//! Waiting for what must become true, and no longer than it may take.

use std::time::Duration;

use crate::Failure;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(10);

/// Waits until a look finds what it looks for. The failure says what the last look saw instead.
pub async fn until<T>(
    what: &str,
    patience: Duration,
    mut look: impl AsyncFnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let begun = tokio::time::Instant::now();
    loop {
        let seen = match look().await {
            Ok(found) => return Ok(found),
            Err(seen) => seen,
        };
        if begun.elapsed() > patience {
            return Err(seen.during(format!("not within {patience:?}: {what}")));
        }
        tokio::time::sleep(LOOK).await;
    }
}
