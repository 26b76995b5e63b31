//! The token that guards the operators' listener now: one that the operator set, or one that the process
//! made for its own user, with its file. Another takes its place while operators are answered.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderMap;

use super::token::MadeToken;
use super::{Asks, Forbidden, Guard};

/// Guards the listener at one address.
pub struct Gate {
    address: SocketAddr,
    now: ArcSwap<Token>,
}

/// Another token, which does not count yet; or none, as the one that counts stays.
pub struct NextToken(Option<Token>);

/// A token, and where it is from.
enum Token {
    /// The operator set it.
    Set(Guard),
    /// It was made, and lies in a file as long as this is there.
    Made(Guard, MadeToken),
    /// It could not be put anywhere; why not.
    Missing(String),
}

const MISSING: &Guard = &Guard::Missing;

impl Gate {
    /// Guards the listener at this address by the token that the operator set, or else by one that is
    /// made; that of the process which this one takes over from, if it made one. To be called when no
    /// other process puts its own in the same place.
    pub fn open(address: SocketAddr, set: Option<&str>, of_predecessor: Option<&str>) -> Self {
        let token = match (set, of_predecessor) {
            (Some(token), _) => Token::set(token),
            (None, Some(token)) => Token::made(MadeToken::keep(address, token)),
            (None, None) => Token::made(MadeToken::make(address)),
        };
        Gate { address, now: ArcSwap::from_pointee(token) }
    }

    /// Whether a call with these fields may be made, now.
    pub fn judge(&self, asks: Asks, fields: &HeaderMap) -> Result<(), Forbidden> {
        self.now.load().guard().judge(asks, fields)
    }

    /// The token that the operator sets now, or one that is made where none is set any more; or why
    /// that cannot be.
    pub fn ready(&self, set: Option<&str>) -> Result<NextToken, String> {
        let next = match (&**self.now.load(), set) {
            (Token::Set(Guard::Set(now)), Some(next)) if now == next => None,
            (_, Some(next)) => Some(Token::set(next)),
            (Token::Made(..) | Token::Missing(_), None) => None,
            (Token::Set(_), None) if !self.address.ip().is_loopback() => {
                return Err(format!(
                    "`admin_token` cannot be taken away: others reach {}, and no token would guard \
                     it",
                    self.address
                ));
            }
            (Token::Set(_), None) => Some(Token::made(MadeToken::make(self.address))),
        };
        Ok(NextToken(next))
    }

    /// It counts from here on, for each call that is made.
    pub fn turn_to(&self, next: NextToken) {
        if let NextToken(Some(token)) = next {
            self.now.store(Arc::new(token));
        }
    }

    /// The token that was made, for who takes over.
    pub fn made(&self) -> Option<String> {
        match &**self.now.load() {
            Token::Made(_, made) => Some(made.token().to_owned()),
            Token::Set(_) | Token::Missing(_) => None,
        }
    }

    /// Leaves the file where it is: another process has it by then.
    pub fn leave(&self) {
        if let Token::Made(_, made) = &**self.now.load() {
            made.leave();
        }
    }

    /// Lets nobody in any more who needs a token, and removes the file of one that was made.
    pub fn close(&self) {
        self.now.store(Arc::new(Token::Missing("the process ends".to_owned())));
    }

    /// What the user is told of it at the start; nothing of a token that he has set.
    pub fn told(&self) -> String {
        match &**self.now.load() {
            Token::Set(_) => String::new(),
            Token::Made(_, made) => told_of(made.path()),
            Token::Missing(why) => {
                format!("token       none, so nothing can be changed: {why}\n")
            }
        }
    }
}

fn told_of(file: &Path) -> String {
    format!("token       {} (admin calls)\n", file.display())
}

impl Token {
    fn set(token: &str) -> Self {
        Token::Set(Guard::Set(token.to_owned()))
    }

    fn made(made: Result<MadeToken, String>) -> Self {
        match made {
            Ok(made) => Token::Made(Guard::Made(made.token().to_owned()), made),
            Err(why) => Token::Missing(why),
        }
    }

    fn guard(&self) -> &Guard {
        match self {
            Token::Set(guard) | Token::Made(guard, _) => guard,
            Token::Missing(_) => MISSING,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(address: &str) -> Gate {
        Gate::open(address.parse().unwrap(), Some("one"), None)
    }

    fn lets_in(gate: &Gate, token: &str) -> bool {
        let said = format!("Bearer {token}").parse().unwrap();
        let fields = HeaderMap::from_iter([(http::header::AUTHORIZATION, said)]);
        gate.judge(Asks::Token, &fields).is_ok()
    }

    #[test]
    fn another_token_counts_when_it_is_turned_to_and_not_before() {
        let gate = open("127.0.0.1:1");
        let next = gate.ready(Some("two")).unwrap();
        assert!(lets_in(&gate, "one") && !lets_in(&gate, "two"));
        gate.turn_to(next);
        assert!(!lets_in(&gate, "one") && lets_in(&gate, "two"));
        gate.turn_to(gate.ready(Some("two")).unwrap());
        assert!(lets_in(&gate, "two"));
        gate.close();
        assert!(!lets_in(&gate, "two"));
    }

    #[test]
    fn a_listener_that_others_reach_is_never_without_a_token() {
        let gate = open("192.0.2.1:1");
        let why = gate.ready(None).err().unwrap();
        assert!(why.contains("others reach 192.0.2.1:1"), "{why}");
        assert!(lets_in(&gate, "one"));
    }
}
