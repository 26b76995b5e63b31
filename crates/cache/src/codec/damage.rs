//! Why stored bytes do not read.

use std::fmt;

/// Why stored bytes do not read: for whoever looked, a miss and a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Damage {
    /// There are fewer bytes than they announce, or more.
    Length,
    /// They are something else.
    Foreign,
    /// They are of another version.
    OtherVersion,
    /// They are not what was written.
    Checksum,
    /// They announce more than a bound allows.
    TooLong,
    /// They are under another key.
    OtherKey,
    /// The head does not read.
    Head,
    /// The compressed body does not read.
    Compression,
    /// Who wrote them did not know the secret.
    Unauthentic,
}

impl Damage {
    /// All of them.
    pub const ALL: [Damage; 9] = [
        Damage::Length,
        Damage::Foreign,
        Damage::OtherVersion,
        Damage::Checksum,
        Damage::TooLong,
        Damage::OtherKey,
        Damage::Head,
        Damage::Compression,
        Damage::Unauthentic,
    ];

    /// A word for it, for counts.
    pub fn word(self) -> &'static str {
        match self {
            Damage::Length => "length",
            Damage::Foreign => "foreign",
            Damage::OtherVersion => "other-version",
            Damage::Checksum => "checksum",
            Damage::TooLong => "too-long",
            Damage::OtherKey => "other-key",
            Damage::Head => "head",
            Damage::Compression => "compression",
            Damage::Unauthentic => "unauthentic",
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Damage::Length => "it is shorter or longer than it says",
            Damage::Foreign => "it is no stored entry",
            Damage::OtherVersion => "it is of another version",
            Damage::Checksum => "its checksum differs",
            Damage::TooLong => "it says that it is longer than it may be",
            Damage::OtherKey => "it is under another key",
            Damage::Head => "its head does not read",
            Damage::Compression => "its compressed body does not read",
            Damage::Unauthentic => "it was not written with the secret",
        })
    }
}

impl std::error::Error for Damage {}
