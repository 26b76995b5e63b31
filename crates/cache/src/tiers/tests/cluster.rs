//! Several nodes, each a cache over a disk of its own and a tier that all see, follow one log while
//! they fetch, fall behind, restart, and while the log is trimmed or loses its end. A head tells when
//! its fetch began: what a node has acknowledged is never found alive by it in what is older.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::time::Instant;

use super::*;
use crate::purge::{Bounds, Group, Kind, LogEntry, Position, Rule, Rules, Scope, Verdict};
use crate::tier::Reach;

const NODES: usize = 3;
const KEYS: [&str; 3] = ["a", "b", "c"];
const STEPS: usize = 600;

struct Node {
    cache: Small,
    disk: Arc<MapTier>,
    /// What is fetched, and since when.
    fetching: Vec<(u32, Fetching)>,
    /// The moments of the purges of each key that it has acknowledged.
    acknowledged: [u32; KEYS.len()],
}

enum Fetching {
    ForAll(Flight<u32, &'static str>),
    Alone(Key, Mark),
}

struct Cluster {
    chance: SmallRng,
    clock: Clock,
    shared: Arc<MapTier>,
    nodes: Vec<Node>,
    newest: Position,
    log: Vec<LogEntry>,
    /// When each purge of the log was written, and of which key.
    written: Vec<(u64, u32, Option<usize>)>,
    moment: u32,
    alive: u32,
    not_alive: u32,
    not_found: u32,
}

fn group(key: usize) -> Group {
    Group::of("key", KEYS[key].as_bytes())
}

impl Cluster {
    fn new(seed: u64) -> Self {
        let clock = clock();
        let shared = MapTier::new(clock.clone());
        *shared.reach.lock() = Reach::Cluster;
        let mut cluster = Self {
            chance: SmallRng::seed_from_u64(seed),
            clock: clock.clone(),
            shared,
            nodes: Vec::new(),
            newest: Position::start_of(1),
            log: Vec::new(),
            written: Vec::new(),
            moment: 0,
            alive: 0,
            not_alive: 0,
            not_found: 0,
        };
        for _ in 0..NODES {
            let (disk, rules) = (MapTier::new(clock.clone()), Rules::new(Bounds::default()));
            let cache = cluster.cache(&disk, rules);
            let (fetching, acknowledged) = (Vec::new(), [0; KEYS.len()]);
            cluster.nodes.push(Node { cache, disk, fetching, acknowledged });
        }
        cluster
    }

    fn cache(&self, disk: &Arc<MapTier>, rules: Rules) -> Small {
        let options = options();
        let purges = Purges::followed(rules, Duration::from_secs(2));
        let below: Vec<Arc<dyn Tier<u32>>> = vec![disk.clone(), self.shared.clone()];
        Tiers::with_tiers(&options, self.clock.clone(), &options.budget(), below, None, purges)
    }

    async fn step(&mut self) {
        self.moment += 1;
        let node = self.chance.random_range(0..NODES);
        let key = self.chance.random_range(0..KEYS.len());
        match self.chance.random_range(0..100) {
            0..25 => self.look(node, key).await,
            25..45 => self.begin(node, key),
            45..65 => self.end(node),
            65..85 => self.follow(node),
            85..94 => self.purge(key),
            94..96 => self.restart(node),
            96 => self.trim(),
            97 => self.fail_over(),
            _ => settled().await,
        }
    }

    async fn look(&mut self, number: usize, key: usize) {
        let node = &self.nodes[number];
        let name = super::key(KEYS[key]);
        let Some(found) = node.cache.look_up(&name).await else {
            self.not_found += 1;
            return;
        };
        let verdict = node.cache.judge(&found.entry, name.as_bytes());
        assert!(!matches!(verdict, Verdict::Gone { .. }));
        let (began, purged) = (*found.entry.head(), node.acknowledged[key]);
        assert!(
            verdict != Verdict::Alive || began > purged,
            "node {number} finds {} of {began} in {}, purged at {purged}",
            KEYS[key],
            found.tier
        );
        self.alive += u32::from(verdict == Verdict::Alive);
        self.not_alive += u32::from(verdict != Verdict::Alive);
    }

    fn begin(&mut self, node: usize, key: usize) {
        let (node, name) = (&mut self.nodes[node], super::key(KEYS[key]));
        let seen = node.cache.peek(name.as_bytes());
        let fetching = match node.cache.join(&name, seen.as_ref()) {
            Joined::Lead(flight) => Fetching::ForAll(flight),
            Joined::Follow(_) | Joined::Filled(_) | Joined::Unshared => {
                let mark = node.cache.mark(name.as_bytes());
                Fetching::Alone(name, mark)
            }
        };
        node.fetching.push((self.moment, fetching));
    }

    fn end(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        if node.fetching.is_empty() {
            return;
        }
        let one = self.chance.random_range(0..node.fetching.len());
        let (began, fetching) = node.fetching.swap_remove(one);
        let body = Body::whole(&Bytes::from_static(b"body"), None, node.cache.budget());
        match fetching {
            Fetching::ForAll(flight) => {
                node.cache.fill(flight, began, body, Timestamp::FAR);
            }
            Fetching::Alone(key, mark) => {
                let entry = Entry::new(began, body, Timestamp::FAR).since(mark.epoch());
                let (entry, place) = (Arc::new(entry), key.clone().into());
                node.cache.insert_unless_removed(place, &entry, key.as_bytes(), mark, None);
            }
        }
    }

    /// Reads a part of the log, or all of it, and acknowledges what it then knows.
    fn follow(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        let purges = node.cache.purges().clone();
        if purges.refused() == Some(self.newest.lineage) {
            self.newest.lineage += 1;
        }
        let from = purges.position();
        let from = if from.lineage == self.newest.lineage { from.number } else { 0 };
        let behind = self.log.iter().filter(|entry| entry.number >= from).cloned();
        let read: Vec<_> = behind.take(self.chance.random_range(2..9)).collect();
        purges.take(&read, self.newest, Instant::now());
        let position = purges.position();
        let is_here = |entry: &LogEntry| position == self.newest.at(entry);
        if !self.log.iter().any(is_here) {
            return;
        }
        let known = |(at, _, _): &&(u64, u32, Option<usize>)| *at <= position.number;
        for (_, moment, key) in self.written.iter().filter(known) {
            let all = 0..KEYS.len();
            for key in all.filter(|one| key.is_none_or(|key| key == *one)) {
                node.acknowledged[key] = node.acknowledged[key].max(*moment);
            }
        }
    }

    fn purge(&mut self, key: usize) {
        let is_all = self.chance.random_bool(0.1);
        let kind = if self.chance.random_bool(0.5) { Kind::Hard } else { Kind::Soft };
        let scope = if is_all { Scope::Everything } else { Scope::Group(group(key)) };
        let (number, previous) = (self.newest.number + 1, self.newest.token);
        let (token, at) = (self.chance.random(), self.clock.now());
        let entry = LogEntry { number, token, previous, at, rule: Rule { scope, kind } };
        self.newest = self.newest.at(&entry);
        self.log.push(entry);
        self.written.push((number, self.moment, (!is_all).then_some(key)));
    }

    /// Memory goes, the disk stays, and with it what was written of the log.
    fn restart(&mut self, number: usize) {
        let disk = Arc::clone(&self.nodes[number].disk);
        let rules = self.nodes[number].cache.purges().rules();
        self.nodes[number].fetching.clear();
        self.nodes[number].cache = self.cache(&disk, rules);
    }

    fn trim(&mut self) {
        let keep = self.chance.random_range(1..5);
        self.log.drain(..self.log.len().saturating_sub(keep));
    }

    fn fail_over(&mut self) {
        let Some(lost) = self.log.pop() else { return };
        self.newest = self.newest.before(&lost);
        self.written.retain(|(number, _, _)| *number != lost.number);
    }
}

async fn settled() {
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn what_a_node_has_acknowledged_is_never_found_alive_by_it_in_what_is_older() {
    for seed in 0..60 {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        println!("seed {seed}");
        runtime.unwrap().block_on(async {
            let mut cluster = Cluster::new(seed);
            for _ in 0..STEPS {
                cluster.step().await;
            }
            // All of it comes to pass, or nothing would be proved.
            let met = [cluster.alive, cluster.not_alive, cluster.not_found];
            assert!(met.iter().all(|times| *times > 5), "{met:?}");
        });
    }
}
