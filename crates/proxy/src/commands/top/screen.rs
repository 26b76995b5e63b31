//! The terminal: taken, drawn on, listened to, and given back, however this ends.

use std::io;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use tokio::sync::mpsc;

use super::draw::Shown;

/// Keys that wait to be taken.
const KEYS_MAX: usize = 64;

/// What the terminal says.
pub(super) enum Told {
    /// A key was pressed.
    Key(KeyEvent),
    /// It has another size.
    Resized,
    /// It is gone.
    Gone,
}

/// The terminal. Dropped, it is as it was before; a panic gives it back as well, before it speaks.
pub(super) struct Screen {
    terminal: DefaultTerminal,
    told: mpsc::Receiver<Told>,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn open() -> io::Result<Self> {
        let terminal = ratatui::try_init()?;
        let (tell, told) = mpsc::channel(KEYS_MAX);
        // It waits for a key in a way that cannot be ended: it ends with the process.
        let listening = std::thread::Builder::new().name("keys".into());
        let listening = listening.spawn(move || listen(&tell));
        if let Err(cause) = listening {
            ratatui::restore();
            return Err(cause);
        }
        Ok(Screen { terminal, told })
    }

    /// Draws all of it; what has not changed is not written.
    pub(super) fn draw(&mut self, shown: &mut Shown) -> io::Result<()> {
        self.terminal.draw(|frame| shown.draw(frame)).map(|_| ())
    }

    /// The next that the terminal says.
    pub(super) async fn told(&mut self) -> Told {
        self.told.recv().await.unwrap_or(Told::Gone)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn listen(tell: &mpsc::Sender<Told>) {
    loop {
        let told = match event::read() {
            Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => Told::Key(key),
            Ok(Event::Resize(..)) => Told::Resized,
            Ok(_) => continue,
            Err(_) => Told::Gone,
        };
        let is_gone = matches!(told, Told::Gone);
        if tell.blocking_send(told).is_err() || is_gone {
            return;
        }
    }
}
