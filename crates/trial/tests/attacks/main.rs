//! Attacks on the running program, over real sockets: what is sent is bytes, and what counts is
//! what the origin heard and what the next client got.
//!
//! One file a class. The program is found by `FOREBAY_BIN`, or beside this test.

mod bodies;
mod crowds;
mod deception;
mod destinations;
mod downgrade;
mod explosions;
mod floods;
mod frames;
mod framing;
mod keys;
mod loops;
mod operators;
mod origins;
mod poisoning;
mod privacy;
mod slow;
mod stage;
mod truncation;
