//! The cache key: which parts of a request tell stored responses apart (RFC 9111 section 2).

/// Which parts of a request make its key. Scheme, host and port are always in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The parts, in order.
    pub parts: Vec<Part>,
}

/// One part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The method (HEAD counts as GET).
    Method,
    /// The path, byte for byte.
    Path,
    /// The query and how it is read.
    Query(Query),
    /// A request field's lines.
    Field(http::HeaderName),
    /// One cookie's value.
    Cookie(String),
}

/// How the query goes into the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// All of it, byte for byte.
    Whole,
    /// All of it, its parameters sorted.
    Sorted,
    /// Only these parameters, sorted.
    Only(Vec<String>),
    /// All but these parameters, sorted.
    Without(Vec<String>),
}

impl Default for Template {
    fn default() -> Self {
        Template { parts: vec![Part::Method, Part::Path, Part::Query(Query::Whole)] }
    }
}
