//! The threads that commands run on.

use tokio::runtime::Runtime;

/// The runtime on which a gateway runs.
pub fn runtime(workers: Option<usize>) -> std::io::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = workers {
        builder.worker_threads(workers);
    }
    builder.enable_all().build()
}
