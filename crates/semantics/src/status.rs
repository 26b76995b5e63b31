//! The words of RFC 9211 (`Cache-Status`), and every reason for a miss.

/// Why a request went forward to the origin (RFC 9211 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forward {
    /// The configuration said not to look.
    Bypass,
    /// The method's semantics require it.
    Method,
    /// Nothing stored under the cache key.
    UriMiss,
    /// Something stored under the key, but no variant fits.
    VaryMiss,
    /// Nothing stored fits, for another or an unknown reason.
    Miss,
    /// The request's own directives demanded it.
    Request,
    /// What is stored is stale.
    Stale,
    /// What is stored is only a part of what was asked for.
    Partial,
}
