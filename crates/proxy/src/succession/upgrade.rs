//! The side of the process that is succeeded: starts the other, and goes on if that comes to nothing.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::channel::Channel;
use super::{VARIABLE, VERSION, Word};
use crate::config::Listen;
use crate::config::text::in_time;
use crate::gateway::Live;
use crate::guard::Gate;
use crate::route_watch;
use crate::server::{Estate, Part};
use crate::systemd::Notify;

/// How long a successor may take to get ready, unless it is said.
pub const WITHIN: Duration = Duration::from_secs(60);

/// The longest that can be said: it reads what the disk has first.
pub const WITHIN_MAX: Duration = Duration::from_secs(3600);

/// How long one that was given up may take to end, and what it held to come free.
const ENDING: Duration = Duration::from_secs(10);
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Starts successors of this process; one at a time.
pub struct Upgrader {
    program: PathBuf,
    arguments: Vec<OsString>,
    live: Live,
    clients: Estate,
    operators: Option<Estate>,
    activated: Vec<Listen>,
    gate: Option<Arc<Gate>>,
    notify: Notify,
    succeeded: watch::Sender<Option<u32>>,
    turn: Mutex<()>,
}

/// What is wanted of an upgrade.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The program to start; `None` is the one that was started for this process.
    pub binary: Option<PathBuf>,
    /// How long it may take to get ready.
    pub within: Duration,
}

/// What a process leaves to its successor beside what its disk holds.
pub struct Legacy {
    /// The sockets of clients.
    pub clients: Estate,
    /// The sockets of operators.
    pub operators: Option<Estate>,
    /// Those of both that systemd has passed.
    pub activated: Vec<Listen>,
    /// Who guards the operators' listener: by a token that this process made, perhaps.
    pub gate: Option<Arc<Gate>>,
}

impl Default for Wish {
    fn default() -> Self {
        Wish { binary: None, within: WITHIN }
    }
}

impl Upgrader {
    /// For this gateway, with what it leaves; and who tells when it has been succeeded, and by whom.
    pub fn new(
        live: Live,
        legacy: Legacy,
        notify: Notify,
    ) -> (Arc<Self>, watch::Receiver<Option<u32>>) {
        let (succeeded, told) = watch::channel(None);
        let Legacy { clients, operators, activated, gate } = legacy;
        let upgrader = Upgrader {
            program: own_program(),
            arguments: std::env::args_os().skip(1).collect(),
            live,
            clients,
            operators,
            activated,
            gate,
            notify,
            succeeded,
            turn: Mutex::new(()),
        };
        (Arc::new(upgrader), told)
    }

    /// Starts a successor and leaves all to it; the number of its process. Otherwise everything is
    /// as if nothing had been, and it is said why. Waits for it.
    pub fn upgrade(&self, wish: &Wish) -> Result<u32, String> {
        let Some(_turn) = self.turn.try_lock() else {
            return Err("cannot upgrade: an upgrade is under way already".to_owned());
        };
        if self.clients.is_closed() || self.succeeded.borrow().is_some() {
            return Err("cannot upgrade: this process is at its end already".to_owned());
        }
        let program = wish.binary.as_ref().unwrap_or(&self.program);
        let refused = |why: String| format!("cannot upgrade to `{}`: {why}", program.display());
        if std::process::id() == 1 {
            let why = "this is process 1, with which a container ends; start another container";
            return Err(refused(why.to_owned()));
        }
        if let Some(program) = &wish.binary {
            is_trustworthy(program).map_err(refused)?;
        }
        let (child, channel) = self.start(program).map_err(|cause| refused(cause.to_string()))?;
        let pid = child.id();
        let mut attempt = Attempt { upgrader: self, child, channel, has_let_go: false };
        match attempt.run(Instant::now() + wish.within) {
            Ok(()) => Ok(pid),
            Err(why) => {
                let said = match why {
                    NotReady::Late => format!("it was not ready within {}", in_time(wish.within)),
                    NotReady::Because(why) => why,
                };
                attempt.undo();
                Err(refused(said))
            }
        }
    }

    fn start(&self, program: &Path) -> io::Result<(Child, Channel)> {
        let (own, other) = UnixStream::pair()?;
        let child = Command::new(program)
            .args(&self.arguments)
            .env(VARIABLE, VERSION)
            // It is given these sockets by us.
            .env_remove("LISTEN_PID")
            .env_remove("LISTEN_FDS")
            .env_remove("LISTEN_FDNAMES")
            .stdin(Stdio::from(OwnedFd::from(other)))
            .spawn()?;
        Ok((child, Channel::over(own)?))
    }

    /// Every listening socket, and what it is for.
    fn sockets(&self) -> io::Result<Vec<(Part, OwnedFd)>> {
        let of_clients =
            |(listen, socket): (Listen, OwnedFd)| match self.activated.contains(&listen) {
                true => (Part::Activated, socket),
                false => (Part::Clients, socket),
            };
        let mut all: Vec<_> = self.clients.sockets()?.into_iter().map(of_clients).collect();
        if let Some(operators) = &self.operators {
            let of_operators = |(listen, socket)| match self.activated.contains(&listen) {
                true => (Part::ActivatedOperators, socket),
                false => (Part::Operators, socket),
            };
            all.extend(operators.sockets()?.into_iter().map(of_operators));
        }
        Ok(all)
    }
}

/// One try.
struct Attempt<'a> {
    upgrader: &'a Upgrader,
    child: Child,
    channel: Channel,
    has_let_go: bool,
}

/// Why a successor is none.
enum NotReady {
    /// It took too long.
    Late,
    /// For this reason.
    Because(String),
}

impl From<io::Error> for NotReady {
    fn from(cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::TimedOut => NotReady::Late,
            _ => NotReady::Because(cause.to_string()),
        }
    }
}

impl Attempt<'_> {
    fn run(&mut self, until: Instant) -> Result<(), NotReady> {
        self.leave_sockets().or_else(|cause| match cause.kind() {
            // It has ended already; why is heard below.
            io::ErrorKind::BrokenPipe => Ok(()),
            _ => Err(cause),
        })?;
        loop {
            match self.channel.next(until)? {
                Some(Word::LetGo) => {
                    self.let_go();
                    self.channel.say(&Word::Gone)?;
                }
                Some(Word::Ready) => return self.hand_over(),
                Some(Word::Failed(why)) => return Err(NotReady::Because(why)),
                Some(word) => {
                    return Err(NotReady::Because(format!("it said `{word:?}`")));
                }
                None => return Err(NotReady::Because(self.how_it_ended())),
            }
        }
    }

    fn leave_sockets(&mut self) -> io::Result<()> {
        for (part, socket) in self.upgrader.sockets()? {
            self.channel.say_with(&Word::Socket(part), socket.as_fd())?;
        }
        if let Some(token) = self.upgrader.gate.as_ref().and_then(|gate| gate.made()) {
            self.channel.say(&Word::Token(token))?;
        }
        self.channel.say(&Word::All)
    }

    fn let_go(&mut self) {
        self.has_let_go = true;
        let gateway = self.upgrader.live.now();
        gateway.routes().iter().for_each(|routes| route_watch::close(routes));
        gateway.storage().let_go();
    }

    /// The successor accepts clients as soon as it hears of it; from then on there is no way back.
    fn hand_over(&mut self) -> Result<(), NotReady> {
        let upgrader = self.upgrader;
        if upgrader.clients.is_closed() {
            return Err(NotReady::Because("this process has been told to end".to_owned()));
        }
        let pid = self.child.id();
        // Before the other can take a purge that is not heard of here.
        upgrader.live.now().storage().give_away();
        self.has_let_go = true;
        self.channel.say(&Word::Yours)?;
        upgrader.clients.leave();
        upgrader.operators.iter().for_each(Estate::leave);
        upgrader.succeeded.send_replace(Some(pid));
        upgrader.notify.succeeded_by(pid);
        Ok(())
    }

    fn how_it_ended(&mut self) -> String {
        let until = Instant::now() + ENDING;
        while Instant::now() < until {
            match self.child.try_wait() {
                Ok(Some(status)) => return format!("it ended at its start ({status})"),
                Ok(None) => std::thread::sleep(RETRY_PAUSE),
                Err(cause) => return cause.to_string(),
            }
        }
        "it does not speak to the one that started it; is it another program?".to_owned()
    }

    /// Ends the successor, and takes back what was let go.
    fn undo(&mut self) {
        // One that has ended by itself cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !self.has_let_go {
            return;
        }
        let until = Instant::now() + ENDING;
        while let Err(cause) = self.upgrader.live.now().storage().take_back() {
            if Instant::now() >= until {
                tracing::error!("goes on without what it has let go: {cause}");
                return;
            }
            std::thread::sleep(RETRY_PAUSE);
        }
    }
}

/// The program that was started for this process, by the name that it was started by: who replaces
/// what a link leads to wants the new one.
fn own_program() -> PathBuf {
    let named = std::env::args_os().next().map(PathBuf::from);
    let named = named.filter(|name| name.components().count() > 1);
    let named = named.and_then(|name| Some(std::env::current_dir().ok()?.join(name)));
    named.or_else(|| std::env::current_exe().ok()).unwrap_or_else(|| PathBuf::from("forebay"))
}

/// Whoever knows the token may say which program is started: one that nobody else can have put there.
fn is_trustworthy(program: &Path) -> Result<(), String> {
    if !program.is_absolute() {
        return Err("its path does not begin with /".to_owned());
    }
    let seen = fs::metadata(program).map_err(|cause| cause.to_string())?;
    let own = rustix::process::geteuid().as_raw();
    match () {
        () if !seen.is_file() => Err("it is no file".to_owned()),
        () if seen.mode() & 0o111 == 0 => Err("it cannot be executed".to_owned()),
        () if seen.uid() != 0 && seen.uid() != own => {
            Err("it belongs neither to root nor to the user of this process".to_owned())
        }
        () if seen.mode() & 0o022 != 0 => Err("others can write it".to_owned()),
        () => Ok(()),
    }
}
