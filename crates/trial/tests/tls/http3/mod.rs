//! HTTP/3 against a program that was built with it: a client on real QUIC that writes whatever it likes.

mod attacks;
mod client;
mod life;
mod messages;
mod origin;
