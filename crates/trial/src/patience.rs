//! Waiting for what must become true, and no longer than it may take.

use std::time::Duration;

use tokio::time::Instant;

use crate::Failure;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(10);

/// How long something may still take.
///
/// ```text
/// let mut patience = Patience::new("the door opens", Duration::from_secs(5));
/// while let Err(seen) = look().await {
///     patience.again(seen).await?;
/// }
/// ```
pub struct Patience {
    what: &'static str,
    span: Duration,
    begun: Instant,
}

impl Patience {
    /// This must become true within this span, from now on.
    pub fn new(what: &'static str, span: Duration) -> Self {
        Patience { what, span, begun: Instant::now() }
    }

    /// Waits a moment until the next look; fails when the time is over, with what was seen last.
    pub async fn again(&mut self, seen: Failure) -> Result<(), Failure> {
        if self.begun.elapsed() > self.span {
            return Err(seen.during(format!("not within {:?}: {}", self.span, self.what)));
        }
        tokio::time::sleep(LOOK).await;
        Ok(())
    }
}

/// Waits until this holds.
pub async fn until(
    what: &'static str,
    span: Duration,
    mut holds: impl AsyncFnMut() -> bool,
) -> Result<(), Failure> {
    let mut patience = Patience::new(what, span);
    while !holds().await {
        patience.again(Failure::new("it does not hold")).await?;
    }
    Ok(())
}
