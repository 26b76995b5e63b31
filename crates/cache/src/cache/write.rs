//! Writes from outside of a load: set, delete, invalidate, purge. They are in force here when they
//! return, and in every other process that follows the same log.
//!
//! Where others follow the log, all of it goes there first: what is not in the log is not done here
//! either. Where nobody does, only purges of many need it, so that a cache that is set often fills no
//! table of rules. Each write runs in a task of its own: a caller who leaves cannot leave half of it.

use std::sync::Arc;

use super::error::Error;
use super::events::Event;
use super::kept;
use super::loaded::Loaded;
use super::settings::Call;
use super::shared::Shared;
use crate::entry::Key;
use crate::log::Appended;
use crate::purge::{Group, Kind, Rule, Scope};
use crate::tier::Reach;
use std::time::Duration;

impl<V: Send + Sync + 'static> Shared<V> {
    pub(crate) async fn set(self: &Arc<Self>, key: Key, loaded: Loaded<V>) -> Result<(), Error> {
        let kept = self.keep(loaded, &Call::default(), Duration::ZERO);
        if self.is_alone_in_memory() {
            let entry = Arc::new(self.entry(kept).since(self.tiers.epoch_now()));
            self.tiers.overwrite(&key, &entry).await.map_err(Error::Tier)?;
            self.teller.tell(|| Event::Set { key });
            return Ok(());
        }
        let shared = Arc::clone(self);
        apart(async move {
            let appended = shared.append_key(&key, Kind::Hard).await?;
            // Not what is known by now: of two processes that set at once, the later in the log wins.
            let epoch = appended.map_or(shared.tiers.epoch_now(), |it| it.last.epoch());
            let entry = Arc::new(shared.entry(kept).since(epoch));
            let overwritten = shared.tiers.overwrite(&key, &entry).await;
            shared.settle(appended, overwritten).await?;
            shared.teller.tell(|| Event::Set { key });
            Ok(())
        })
        .await
    }

    pub(crate) async fn delete(self: &Arc<Self>, key: Key) -> Result<(), Error> {
        let shared = Arc::clone(self);
        apart(async move {
            let appended = shared.append_key(&key, Kind::Hard).await?;
            let removed = shared.tiers.remove_surely(&key).await;
            shared.settle(appended, removed).await?;
            shared.teller.tell(|| Event::Removed { key });
            Ok(())
        })
        .await
    }

    /// What lies under the key is stale from now on.
    pub(crate) async fn invalidate(self: &Arc<Self>, key: Key) -> Result<(), Error> {
        let group = kept::group_of_key(key.as_bytes());
        self.purge(group, Kind::Soft, Event::Removed { key }).await
    }

    pub(crate) async fn purge_tag(self: &Arc<Self>, tag: &str, kind: Kind) -> Result<(), Error> {
        let group = kept::group_of_tag(&self.prefix, tag);
        self.purge(group, kind, Event::TagPurged { tag: tag.to_owned() }).await
    }

    pub(crate) async fn purge_all(self: &Arc<Self>, kind: Kind) -> Result<(), Error> {
        let group = kept::group_of_name(self.name.as_bytes());
        self.purge(group, kind, Event::AllPurged).await
    }

    async fn purge(self: &Arc<Self>, group: Group, kind: Kind, event: Event) -> Result<(), Error> {
        let shared = Arc::clone(self);
        apart(async move {
            let appended = shared.append(group, kind).await?;
            shared.settle(Some(appended), Ok(())).await?;
            shared.teller.tell(|| event);
            Ok(())
        })
        .await
    }

    // What is told to others says it of this process as well; alone, the tiers are enough.
    async fn append_key(&self, key: &Key, kind: Kind) -> Result<Option<Appended>, Error> {
        match self.reach {
            Reach::Node => Ok(None),
            Reach::Cluster => self.append(kept::group_of_key(key.as_bytes()), kind).await.map(Some),
        }
    }

    async fn append(&self, group: Group, kind: Kind) -> Result<Appended, Error> {
        let rule = Rule { scope: Scope::Group(group), kind };
        self.log.append(vec![rule]).await.map_err(Error::Log)
    }

    // With a rule in the log, what a tier failed to remove is dead wherever it lies.
    async fn settle(
        &self,
        appended: Option<Appended>,
        done: Result<(), crate::error::TierFailure>,
    ) -> Result<(), Error> {
        let Some(appended) = appended else { return done.map_err(Error::Tier) };
        if self.reach == Reach::Cluster && !self.settings.others_wait.is_zero() {
            // Whoever is not there by then is in doubt, and trusts nothing for long.
            self.log.applied(appended.last, self.settings.others_wait).await;
        }
        Ok(())
    }

    fn is_alone_in_memory(&self) -> bool {
        self.reach == Reach::Node && !self.tiers.has_tiers()
    }
}

/// In a task of its own.
async fn apart(
    work: impl Future<Output = Result<(), Error>> + Send + 'static,
) -> Result<(), Error> {
    tokio::spawn(work).await.unwrap_or(Err(Error::RuntimeEnded))
}
