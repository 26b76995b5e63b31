//! What all of these trials start and ask.

use std::time::Duration;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Long enough that something would have come.
pub(crate) const MOMENT: Duration = Duration::from_millis(300);

/// Lets this span go by.
pub(crate) async fn pass(span: Duration) {
    tokio::time::sleep(span).await;
}
