//! Several processes over one Redis: what one writes the others see, one of them loads, and one that is
//! killed while it loads holds up nobody for longer than its lease.
//!
//! The processes are this program again, told by the environment to do what stands on its input.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use forebay_cache::{Cache, Loaded, Redis, millis, minutes, secs};

use crate::servers::RedisServer;
use crate::stage::PATIENCE;

/// Where the process finds its Redis; unset, it is none.
const ADDRESS: &str = "FOREBAY_FACE_REDIS";

/// What its answers begin with, among what the test program itself says.
const MARK: &str = "> ";

/// One process.
struct Process {
    child: Child,
    orders: ChildStdin,
    answers: Receiver<String>,
}

impl Process {
    fn start(server: &RedisServer) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "processes::as_it_is_told", "--nocapture"])
            .env(ADDRESS, format!("unix://{}", server.socket().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (told, answers) = channel();
        let said = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                // The test program may have begun the line.
                let Some((_, answer)) = line.split_once(MARK) else { continue };
                if told.send(answer.to_owned()).is_err() {
                    break;
                }
            }
        });
        let orders = child.stdin.take().unwrap();
        let process = Self { child, orders, answers };
        assert_eq!(process.answer(), "ready");
        process
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    fn answer(&self) -> String {
        self.answers.recv_timeout(PATIENCE).expect("it answers")
    }

    fn ask(&mut self, order: &str) -> String {
        self.order(order);
        self.answer()
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn obey(cache: &Cache<String, String>, order: &str) -> String {
    let words: Vec<_> = order.split(' ').collect();
    match words[..] {
        ["get", key] => match cache.get(key).await {
            Ok(Some(found)) => found.value.map_or("nothing".into(), |value| value.to_string()),
            Ok(None) => "not cached".into(),
            Err(why) => why.to_string(),
        },
        ["load", key, value, wait] => {
            let (value, wait) = (value.to_owned(), wait.parse().unwrap());
            let load = move || async move {
                println!("{MARK}loading");
                tokio::time::sleep(Duration::from_millis(wait)).await;
                Ok::<_, std::io::Error>(Loaded::of(value).tag("eu"))
            };
            match cache.get_or_load(key, load).await {
                Ok(found) => format!("{} {}", found.value.unwrap(), found.from.word()),
                Err(why) => why.to_string(),
            }
        }
        ["set", key, value] => done(cache.set(key, value.to_owned()).await),
        ["delete", key] => done(cache.delete(key).await),
        ["purge", tag] => done(cache.purge_tag(tag).await),
        _ => panic!("no such order: {order}"),
    }
}

fn done(result: Result<(), forebay_cache::Error>) -> String {
    result.map_or_else(|why| why.to_string(), |()| "done".to_owned())
}

/// What a process does; in the tests' own, nothing.
#[test]
fn as_it_is_told() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let redis = Redis::builder(&address).timeout(secs(2)).connect_timeout(secs(20));
        let redis = redis.doubt_after(secs(20)).lease(millis(600)).open().await.unwrap();
        let builder = Cache::builder("words").redis(&redis).ttl(minutes(5)).others_wait(PATIENCE);
        let cache: Cache<String, String> = builder.build().await.unwrap();
        println!("{MARK}ready");
        for order in std::io::stdin().lines() {
            let answer = obey(&cache, &order.unwrap()).await;
            println!("{MARK}{answer}");
        }
        drop(cache);
        redis.close().await;
    });
}

#[test]
fn p3_11_what_one_process_writes_every_other_sees_when_it_returns() {
    let server = RedisServer::on_socket(&[]);
    let mut all = [(); 3].map(|()| Process::start(&server));
    for round in 0..10 {
        let writer = round % 3;
        assert_eq!(all[writer].ask(&format!("set a v{round}")), "done");
        for process in &mut all {
            assert_eq!(process.ask("get a"), format!("v{round}"));
        }
    }
    assert_eq!(all[0].ask("delete a"), "done");
    assert_eq!(all[1].ask("load b w 0"), "loading");
    assert_eq!(all[1].answer(), "w loader");
    for process in &mut all {
        assert_eq!(process.ask("get a"), "not cached");
    }
    assert_eq!(all[2].ask("purge eu"), "done");
    for process in &mut all {
        assert_eq!(process.ask("get b"), "not cached");
    }
}

#[test]
fn p3_2_one_process_loads_and_the_others_get_its_value() {
    let server = RedisServer::on_socket(&[]);
    let mut all = [(); 3].map(|()| Process::start(&server));
    all[0].order("load a first 400");
    assert_eq!(all[0].answer(), "loading");
    all[1].order("load a second 0");
    all[2].order("load a third 0");
    assert_eq!(all[0].answer(), "first loader");
    assert_eq!(all[1].answer(), "first redis");
    assert_eq!(all[2].answer(), "first redis");
}

#[test]
fn a_process_that_is_killed_while_it_loads_is_followed_by_another() {
    let server = RedisServer::on_socket(&[]);
    let mut all = [(); 3].map(|()| Process::start(&server));
    all[0].order("load a first 3600000");
    assert_eq!(all[0].answer(), "loading");
    all[1].order("load a second 300");
    all[2].order("load a third 300");
    // They wait as long as it lives, which is longer than a lease.
    std::thread::sleep(millis(1_000));
    assert!(all[1].answers.try_recv().is_err() && all[2].answers.try_recv().is_err());
    all[0].kill();
    let answers = [1, 2].map(|process| {
        let first = all[process].answer();
        if first == "loading" { (all[process].answer(), true) } else { (first, false) }
    });
    let loaded = answers.iter().filter(|(_, loaded)| *loaded).count();
    assert_eq!(loaded, 1, "one of them alone: {answers:?}");
    let word = |answer: &str| answer.split(' ').next().unwrap().to_owned();
    assert_eq!(word(&answers[0].0), word(&answers[1].0));
}
