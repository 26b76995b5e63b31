//! The disk tier of a process that may have to let go of it: one directory belongs to one process, and
//! the one that takes over wants it before it accepts clients.
//!
//! While it is let go it holds nothing and takes nothing. A removal is then not heard of by who has
//! the directory: what an unsafe request spoils (RFC 9111 section 4.4) is spoiled here alone, as
//! between any two nodes.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use forebay_cache::disk::{DiskError, DiskOptions, DiskTier};
use forebay_cache::mechanism::{
    Admitted, Answer, Clock, DiskSnapshot, Entry, Fence, Key, Looked, Tier,
};

use crate::kept::Kept;
use crate::kept_codec::KeptCodec;

/// The disk tier, or what is there in its place while another process has it.
pub struct LentDisk {
    options: DiskOptions,
    clock: Clock,
    body_bytes_max: u64,
    tier: ArcSwapOption<DiskTier<Kept>>,
}

impl LentDisk {
    /// Opens the directory. Waits for the disk.
    pub fn open(options: DiskOptions, clock: Clock) -> Result<Self, DiskError> {
        let tier = DiskTier::open(options.clone(), Arc::new(KeptCodec), clock.clone())?;
        let body_bytes_max = Tier::body_bytes_max(&*tier);
        Ok(LentDisk { options, clock, body_bytes_max, tier: ArcSwapOption::new(Some(tier)) })
    }

    /// All numbers, now; none while it is let go.
    pub fn snapshot(&self) -> Option<DiskSnapshot> {
        self.tier.load().as_ref().map(|tier| tier.snapshot())
    }

    /// Writes what waits, and takes no more. Waits for the disk.
    pub fn close(&self) {
        if let Some(tier) = &*self.tier.load() {
            tier.close();
        }
    }

    /// Writes what waits, and lets another process open the directory. Waits for the disk.
    pub fn let_go(&self) {
        if let Some(tier) = self.tier.swap(None) {
            tier.let_go();
        }
    }

    /// Opens the directory again, if it was let go. Waits for the disk.
    pub fn take_back(&self) -> Result<(), DiskError> {
        if self.tier.load().is_none() {
            let (options, clock) = (self.options.clone(), self.clock.clone());
            self.tier.store(Some(DiskTier::open(options, Arc::new(KeptCodec), clock)?));
        }
        Ok(())
    }
}

impl Tier<Kept> for LentDisk {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn look_up<'a>(&'a self, key: &'a Key) -> Looked<'a, Kept> {
        match &*self.tier.load() {
            Some(tier) => tier.looked_up(key),
            None => Looked::AtOnce(Ok(None)),
        }
    }

    fn answers_at_once(&self) -> bool {
        true
    }

    fn body_bytes_max(&self) -> u64 {
        self.body_bytes_max
    }

    fn put<'a>(
        &'a self,
        key: &'a Key,
        entry: Arc<Entry<Kept>>,
        fence: Option<&'a Fence>,
    ) -> Answer<'a, Admitted> {
        Box::pin(async move {
            match self.tier.load_full() {
                Some(tier) => tier.put(key, entry, fence).await,
                None => Ok(Admitted::Busy),
            }
        })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, ()> {
        Box::pin(async move {
            match self.tier.load_full() {
                Some(tier) => tier.remove(key).await,
                None => Ok(()),
            }
        })
    }
}
