//! What leases must keep to, whoever hands them out.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use forebay_cache::mechanism::{
    Fence, Key, Lease, Leases, Purpose, Response, Stamp, Vigil, Wish, Word,
};
use tokio::time::{Instant, sleep, timeout};

/// Nodes that the contract needs.
pub(crate) const NODES: usize = 5;

const HOLDER: usize = 0;
const OTHER: usize = 1;
const MORTAL: usize = 4;

/// Nodes that share leases, and what can befall them.
pub(crate) trait Cluster {
    /// Leases as this node hands them out.
    fn leases(&self, node: usize) -> &dyn Leases;
    /// How long a lease outlives its holder.
    fn ttl(&self) -> Duration;
    /// Puts an entry where all nodes see it.
    async fn store(&self, key: &Key, stamp: Stamp);
    /// Removes what is under a key, and forbids to store what is being fetched for it.
    async fn remove(&self, key: &Key);
    /// Whether a store under this lease is accepted.
    async fn accepts(&self, fence: &Fence) -> bool;
    /// All nodes lose their connections and get new ones.
    async fn gap(&self);
    /// Ends a node's process, as far as others can tell.
    fn kill(&mut self, node: usize);
}

/// Runs the contract.
pub(crate) async fn keeps_to_it(cluster: &mut impl Cluster) {
    one_holds_it_and_all_others_wait(cluster).await;
    each_word_is_told_as_it_was_said(cluster).await;
    many_who_wait_are_all_told(cluster).await;
    a_word_late_in_the_lease_is_heard(cluster).await;
    who_left_the_queue_is_missed_by_nobody(cluster).await;
    dropped_it_is_left(cluster).await;
    a_question_that_was_dropped_leaves_nothing_held(cluster).await;
    a_lease_that_was_taken_away_keeps_nobody_waiting(cluster).await;
    what_is_newer_is_said(cluster).await;
    a_key_that_is_not_shareable_is_so_for_a_while(cluster).await;
    a_refresh_keeps_the_pause_and_need_does_not(cluster).await;
    a_gap_ends_a_wait(cluster).await;
    it_lasts_as_long_as_its_holder(cluster).await;
    a_holder_that_died_is_taken_over_and_stores_no_more(cluster).await;
}

async fn ask(cluster: &impl Cluster, node: usize, key: &str, purpose: Purpose) -> Response {
    let key = Key::from(key.as_bytes());
    let wish = Wish { key: &key, watched: &key, seen: None, purpose };
    cluster.leases(node).ask(wish).await
}

fn word_of(response: &Response) -> String {
    match response {
        Response::Ours(_) => "ours".into(),
        Response::Theirs(_) => "theirs".into(),
        Response::Newer => "newer".into(),
        Response::Unshared(span) => format!("unshared for {span:?}"),
        Response::Resting(pause) => format!("resting for {pause:?}"),
        Response::Unreachable => "unreachable".into(),
    }
}

#[track_caller]
fn ours(response: Response) -> Box<dyn Lease> {
    match response {
        Response::Ours(lease) => lease,
        other => panic!("not ours but {}", word_of(&other)),
    }
}

#[track_caller]
fn theirs(response: Response) -> Box<dyn Vigil> {
    match response {
        Response::Theirs(vigil) => vigil,
        other => panic!("not theirs but {}", word_of(&other)),
    }
}

async fn lead(cluster: &impl Cluster, node: usize, key: &str) -> Box<dyn Lease> {
    ours(ask(cluster, node, key, Purpose::Need).await)
}

async fn wait(cluster: &impl Cluster, node: usize, key: &str) -> Box<dyn Vigil> {
    theirs(ask(cluster, node, key, Purpose::Need).await)
}

// A word takes no time of the lease's: it is pushed.
async fn told_soon(cluster: &impl Cluster, vigil: Box<dyn Vigil>) -> Word {
    timeout(cluster.ttl() / 2, vigil.told()).await.expect("told by push")
}

// An ending is told behind: who waits for it knows when it has been done.
async fn end(cluster: &impl Cluster, key: &str, lease: Box<dyn Lease>, word: Word) {
    let vigil = wait(cluster, OTHER, key).await;
    lease.end(word);
    assert_eq!(told_soon(cluster, vigil).await, word);
}

async fn one_holds_it_and_all_others_wait(cluster: &impl Cluster) {
    let lease = lead(cluster, HOLDER, "one").await;
    for node in 0..NODES {
        drop(wait(cluster, node, "one").await);
    }
    assert!(cluster.accepts(&lease.fence()).await);
    drop(lead(cluster, OTHER, "another").await);
    let (old, vigil) = (lease.fence(), wait(cluster, OTHER, "one").await);
    lease.end(Word::Stored);
    assert_eq!(told_soon(cluster, vigil).await, Word::Stored);
    assert!(!cluster.accepts(&old).await);
    let next = lead(cluster, OTHER, "one").await;
    assert!(cluster.accepts(&next.fence()).await);
    assert!(!cluster.accepts(&old).await);
}

async fn each_word_is_told_as_it_was_said(cluster: &impl Cluster) {
    let soon = Duration::from_millis(40);
    for (number, word) in
        [Word::Stored, Word::Local, Word::Unshared(soon), Word::Failed(504, soon), Word::Left]
            .into_iter()
            .enumerate()
    {
        let key = format!("word {number}");
        let lease = lead(cluster, HOLDER, &key).await;
        end(cluster, &key, lease, word).await;
    }
}

async fn many_who_wait_are_all_told(cluster: &impl Cluster) {
    let lease = lead(cluster, HOLDER, "many").await;
    let mut vigils = Vec::new();
    for number in 0..40 * NODES {
        vigils.push(wait(cluster, number % NODES, "many").await);
    }
    lease.end(Word::Stored);
    let began = Instant::now();
    for vigil in vigils {
        assert_eq!(vigil.told().await, Word::Stored);
    }
    assert!(began.elapsed() < cluster.ttl() / 2);
}

async fn a_word_late_in_the_lease_is_heard(cluster: &impl Cluster) {
    let lease = lead(cluster, HOLDER, "late").await;
    let vigil = wait(cluster, OTHER, "late").await;
    sleep(cluster.ttl() / 2).await;
    lease.end(Word::Stored);
    assert_eq!(told_soon(cluster, vigil).await, Word::Stored);
}

async fn who_left_the_queue_is_missed_by_nobody(cluster: &impl Cluster) {
    let lease = lead(cluster, HOLDER, "leaves").await;
    let stays = wait(cluster, OTHER, "leaves").await;
    drop(wait(cluster, OTHER, "leaves").await);
    let mut told = wait(cluster, OTHER, "leaves").await.told();
    assert!(told.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(told);
    lease.end(Word::Local);
    assert_eq!(told_soon(cluster, stays).await, Word::Local);
}

async fn dropped_it_is_left(cluster: &impl Cluster) {
    let lease = lead(cluster, HOLDER, "dropped").await;
    let vigil = wait(cluster, OTHER, "dropped").await;
    drop(lease);
    assert_eq!(told_soon(cluster, vigil).await, Word::Left);
    drop(lead(cluster, OTHER, "dropped").await);
}

async fn a_question_that_was_dropped_leaves_nothing_held(cluster: &impl Cluster) {
    let key = Key::from(&b"unasked"[..]);
    for _ in 0..8 {
        let wish = Wish { key: &key, watched: &key, seen: None, purpose: Purpose::Need };
        let mut asked = cluster.leases(HOLDER).ask(wish);
        match asked.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(_) | Poll::Pending => drop(asked),
        }
    }
    let began = Instant::now();
    let lease = loop {
        match ask(cluster, OTHER, "unasked", Purpose::Need).await {
            Response::Theirs(vigil) => drop(told_soon(cluster, vigil).await),
            other => break ours(other),
        }
    };
    assert!(began.elapsed() < cluster.ttl() / 2);
    drop(lease);
}

async fn a_lease_that_was_taken_away_keeps_nobody_waiting(cluster: &impl Cluster) {
    let key = Key::from(&b"removed"[..]);
    let lease = lead(cluster, HOLDER, "removed").await;
    let vigil = wait(cluster, OTHER, "removed").await;
    cluster.remove(&key).await;
    assert!(!cluster.accepts(&lease.fence()).await);
    // Who takes it next tells those who waited for the other.
    let next = lead(cluster, HOLDER, "removed").await;
    assert_eq!(told_soon(cluster, vigil).await, Word::Left);
    let vigil = wait(cluster, OTHER, "removed").await;
    lease.end(Word::Stored);
    assert!(cluster.accepts(&next.fence()).await);
    // So does who lost it, when he ends it: what he says is not to be believed.
    cluster.remove(&key).await;
    next.end(Word::Unshared(cluster.ttl()));
    assert_eq!(told_soon(cluster, vigil).await, Word::Left);
    drop(lead(cluster, OTHER, "removed").await);
}

async fn what_is_newer_is_said(cluster: &impl Cluster) {
    let (key, watched) = (Key::from(&b"newer"[..]), Key::from(&b"newer, watched"[..]));
    let [first, second] = [7, u64::MAX].map(Stamp::from_number);
    let asked = async |seen| {
        let wish = Wish { key: &key, watched: &watched, seen, purpose: Purpose::Refresh };
        word_of(&cluster.leases(HOLDER).ask(wish).await)
    };
    assert_eq!(asked(None).await, "ours");
    cluster.store(&watched, first).await;
    assert_eq!(asked(None).await, "newer");
    assert_eq!(asked(Some(second)).await, "newer");
    assert_eq!(asked(Some(first)).await, "ours");
    cluster.store(&watched, second).await;
    assert_eq!(asked(Some(first)).await, "newer");
    // Also while another node holds the lease: nobody has to wait for what is there.
    let seen = Some(second);
    let wish = Wish { key: &key, watched: &watched, seen, purpose: Purpose::Need };
    let lease = loop {
        match cluster.leases(OTHER).ask(wish).await {
            Response::Theirs(vigil) => drop(told_soon(cluster, vigil).await),
            other => break ours(other),
        }
    };
    assert_eq!(asked(seen).await, "theirs");
    assert_eq!(asked(Some(first)).await, "newer");
    drop(lease);
}

async fn a_key_that_is_not_shareable_is_so_for_a_while(cluster: &impl Cluster) {
    let span = cluster.ttl() / 3;
    let lease = lead(cluster, HOLDER, "declined").await;
    end(cluster, "declined", lease, Word::Unshared(span)).await;
    let ended = Instant::now();
    for purpose in [Purpose::Need, Purpose::Refresh] {
        match ask(cluster, OTHER, "declined", purpose).await {
            Response::Unshared(rest) => assert!(rest <= span && !rest.is_zero(), "{rest:?}"),
            other => panic!("{}", word_of(&other)),
        }
    }
    sleep((span + Duration::from_millis(20)).saturating_sub(ended.elapsed())).await;
    drop(lead(cluster, OTHER, "declined").await);
}

async fn a_refresh_keeps_the_pause_and_need_does_not(cluster: &impl Cluster) {
    let pause = cluster.ttl() / 3;
    let key = "rests";
    let lease = lead(cluster, HOLDER, key).await;
    end(cluster, key, lease, Word::Failed(502, pause)).await;
    let rests = ask(cluster, OTHER, key, Purpose::Refresh).await;
    match rests {
        Response::Resting(rest) => assert!(rest <= pause && !rest.is_zero(), "{rest:?}"),
        other => panic!("{}", word_of(&other)),
    }
    // What was needed and brought something ends the pause.
    let lease = lead(cluster, HOLDER, key).await;
    end(cluster, key, lease, Word::Stored).await;
    let lease = ours(ask(cluster, HOLDER, key, Purpose::Refresh).await);
    end(cluster, key, lease, Word::Failed(502, pause)).await;
    sleep(pause + Duration::from_millis(20)).await;
    drop(ours(ask(cluster, OTHER, key, Purpose::Refresh).await));
}

async fn a_gap_ends_a_wait(cluster: &impl Cluster) {
    let lease = lead(cluster, HOLDER, "gap").await;
    let vigil = wait(cluster, OTHER, "gap").await;
    cluster.gap().await;
    assert_eq!(told_soon(cluster, vigil).await, Word::Left);
    let vigil = wait(cluster, OTHER, "gap").await;
    lease.end(Word::Stored);
    assert_eq!(told_soon(cluster, vigil).await, Word::Stored);
}

async fn it_lasts_as_long_as_its_holder(cluster: &impl Cluster) {
    let lease = lead(cluster, HOLDER, "long").await;
    let vigil = wait(cluster, OTHER, "long").await;
    // Longer than the lease was worth when he asked, a wait is no wait for it any more.
    assert_eq!(vigil.told().await, Word::Left);
    sleep(cluster.ttl()).await;
    let vigil = wait(cluster, OTHER, "long").await;
    assert!(cluster.accepts(&lease.fence()).await);
    lease.end(Word::Stored);
    assert_eq!(told_soon(cluster, vigil).await, Word::Stored);
}

async fn a_holder_that_died_is_taken_over_and_stores_no_more(cluster: &mut impl Cluster) {
    let lease = lead(cluster, MORTAL, "mortal").await;
    let waits = [wait(cluster, HOLDER, "mortal").await, wait(cluster, OTHER, "mortal").await];
    let (fence, began) = (lease.fence(), Instant::now());
    cluster.kill(MORTAL);
    for vigil in waits {
        assert_eq!(vigil.told().await, Word::Left);
    }
    assert!(began.elapsed() < cluster.ttl() * 2);
    // Of those who ask again one leads.
    let next = lead(cluster, HOLDER, "mortal").await;
    let vigil = wait(cluster, OTHER, "mortal").await;
    assert!(!cluster.accepts(&fence).await);
    assert!(cluster.accepts(&next.fence()).await);
    // Nor does its late word end the lease of another.
    lease.end(Word::Failed(500, cluster.ttl()));
    assert!(cluster.accepts(&next.fence()).await);
    next.end(Word::Stored);
    assert_eq!(told_soon(cluster, vigil).await, Word::Stored);
}
