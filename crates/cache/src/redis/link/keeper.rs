//! Keeps a link up: connects, asks for signs of life, listens to what is wanted, connects anew.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Instant;

use ::redis::{Pipeline, PushKind};
use bytes::Bytes;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{LinkState, Meaning, Shared, breaker_for, one_more};
use crate::redis::breaker::Pause;
use crate::redis::dial::{self, Calls, Hearing, Wire};
use crate::redis::driven::Driven;
use crate::redis::failure::LinkFailure;

/// Signs of life between two questions to Sentinel.
const BEATS_PER_QUESTION: u32 = 5;

pub(super) async fn keep(shared: Arc<Shared>) {
    let options = &shared.options;
    let mut pause = Pause::new(options.retry_pause_min, options.retry_pause_max);
    loop {
        if let Some(wire) = shared.dial().await {
            let began = Instant::now();
            shared.serve(wire).await;
            // One that does not stay up for long is not better than one that does not come up.
            if began.elapsed() > options.retry_pause_max {
                pause.reset();
            }
        }
        tokio::time::sleep(pause.next()).await;
    }
}

impl Shared {
    async fn dial(self: &Arc<Self>) -> Option<Wire> {
        let number = {
            let mut line = self.line.lock();
            if line.state == LinkState::Open {
                line.state = LinkState::Probing;
            }
            line.number += 1;
            line.number
        };
        let dialled = dial::dial(&self.options, self.hearing(number));
        let failure = match timeout(self.options.connect_timeout, dialled).await {
            Ok(Ok(wire)) => {
                self.come_up(&wire.calls);
                return Some(wire);
            }
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => "not connected in time".to_owned(),
        };
        one_more(&self.counts.connects_failed);
        let mut line = self.line.lock();
        if line.last_failure.as_ref() != Some(&failure) {
            tracing::warn!(server = ?self.options.server, %failure, "cannot connect to redis");
        }
        if line.state == LinkState::Probing {
            line.state = LinkState::Open;
        }
        line.last_failure = Some(failure);
        None
    }

    // A connection that is lost says so by itself. In a cluster that is said only of the one that is
    // listened to, and the others go on.
    fn hearing(self: &Arc<Self>, number: u64) -> Hearing {
        let (shared, ears) = (Weak::clone(&Arc::downgrade(self)), Arc::clone(&self.ears));
        let place = self.ears_number.fetch_add(1, Ordering::Relaxed) + 1;
        Arc::new(move |push| {
            if push.kind != PushKind::Disconnection {
                return ears.hear(push);
            }
            let Some(shared) = shared.upgrade() else { return };
            if !shared.is_cluster() {
                return shared.note(number, &Meaning::Useless, "the server closed the connection");
            }
            if shared.ears_number.load(Ordering::Relaxed) == place {
                shared.ears.lost();
                shared.ears_fallen.notify_one();
            }
        })
    }

    fn come_up(&self, calls: &Calls) {
        let mut line = self.line.lock();
        line.breaker = breaker_for(&self.options);
        (line.state, line.calls, line.last_failure) = (LinkState::Up, Some(calls.clone()), None);
        drop(line);
        self.counts.connects.fetch_add(1, Ordering::Relaxed);
        self.is_up.send_replace(true);
        tracing::info!(server = ?self.options.server, "connected to redis");
    }

    // Until the connection is given up, here or by who calls.
    async fn serve(self: &Arc<Self>, mut wire: Wire) {
        let mut heard = BTreeSet::new();
        // Whatever was told while the last connection fell: on this one nothing is heard yet.
        self.ears.lost();
        let mut beat = interval(self.options.ping_every.max(self.options.call_timeout));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beats = 0_u32;
        while let Some((number, _)) = self.line() {
            self.hear(number, &mut wire, &mut heard).await;
            tokio::select! {
                () = self.fallen.notified() => {}
                () = self.ears.changed.notified() => {}
                () = self.ears_fallen.notified() => wire.ears = None,
                _ = beat.tick() => {
                    beats = beats.wrapping_add(1);
                    self.feel(number, &mut wire, beats).await;
                }
            }
        }
        let why = self.line.lock().last_failure.clone();
        tracing::warn!(server = ?self.options.server, why, "lost the connection to redis");
    }

    // In a cluster the connection for it is made where it is missing; if that fails, at the next
    // sign of life again.
    async fn hear(self: &Arc<Self>, number: u64, wire: &mut Wire, heard: &mut BTreeSet<Bytes>) {
        if wire.ears.is_none() {
            heard.clear();
            self.ears.lost();
            let dialled = dial::ears_of_cluster(&self.options, self.hearing(number));
            let answered = timeout(self.options.connect_timeout, dialled).await;
            wire.ears = answered.ok().and_then(Result::ok);
        }
        let Some(ears) = &mut wire.ears else { return };
        let Err(why) = self.listen(ears, heard).await else { return };
        if self.is_cluster() {
            self.ears.lost();
            wire.ears = None;
        } else {
            self.note(number, &Meaning::Useless, &why);
        }
    }

    // Goes on asking while there is no answer, so that the breaker need not wait for a caller.
    async fn feel(&self, number: u64, wire: &mut Wire, beats: u32) {
        let limit = self.options.call_timeout;
        loop {
            match self.ask(limit, Calls::ping).await {
                Ok(_) | Err(LinkFailure::Busy | LinkFailure::Refused(_)) => break,
                Err(LinkFailure::Away) => return,
                Err(LinkFailure::Late | LinkFailure::Cut(_)) => {}
            }
        }
        if self.is_cluster() && !self.ears_answer(wire).await {
            wire.ears = None;
        }
        if wire.master.is_some() && beats.is_multiple_of(BEATS_PER_QUESTION) {
            let named = timeout(self.options.connect_timeout, dial::master(&self.options)).await;
            if let Ok(Ok(master)) = named
                && Some(&master) != wire.master.as_ref()
            {
                self.note(number, &Meaning::Useless, "another server is master now");
            }
        }
    }

    async fn ears_answer(&self, wire: &mut Wire) -> bool {
        let Some(ears) = &mut wire.ears else { return false };
        for _ in 0..self.options.failures_max.max(1) {
            let ping = ::redis::cmd("PING");
            let asked = ping.exec_async(ears);
            if let Ok(Ok(())) = timeout(self.options.call_timeout, asked).await {
                return true;
            }
        }
        false
    }

    // Brings what is listened to in line with what is wanted, and tells who did not hear before.
    async fn listen(&self, ears: &mut Driven, heard: &mut BTreeSet<Bytes>) -> Result<(), String> {
        let wanted = self.ears.wanted();
        let mut commands = Pipeline::new();
        for channel in wanted.difference(heard) {
            commands.cmd("SUBSCRIBE").arg(&channel[..]).ignore();
        }
        for channel in heard.difference(&wanted) {
            commands.cmd("UNSUBSCRIBE").arg(&channel[..]).ignore();
        }
        if !commands.is_empty() {
            let told = commands.exec_async(ears);
            let answered = timeout(self.options.connect_timeout, told).await;
            answered
                .map_err(|_| "no answer to a subscription in time".to_owned())?
                .map_err(|failure| failure.to_string())?;
        }
        self.ears.anew(&wanted);
        *heard = wanted;
        Ok(())
    }
}
