//! What lies at a key, as far as it is read: made from what the server answers.

use ::redis::{Pipeline, RedisError, Value};

use super::TrackedOptions;
use crate::redis::failure::LinkFailure;

/// What lies at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// A string.
    Text(Vec<u8>),
    /// A list, its items in order.
    List(Vec<Vec<u8>>),
    /// Something that is not read: of another type, or larger than its bound.
    Other,
}

/// What the first question about a key brought.
pub(super) enum Sight {
    Settled(Option<Stored>),
    /// A list: its items take another question.
    List,
}

/// Answers that [`ask_what`] brings for one key.
pub(super) const ANSWERS: usize = 2;

/// Asks of which type the value at a key is and, should it be a string, what it says: one byte more
/// than is taken, so that no value is too long to be asked for.
pub(super) fn ask_what(questions: &mut Pipeline, key: &[u8], options: &TrackedOptions) {
    questions.cmd("TYPE").arg(key);
    questions.cmd("GETRANGE").arg(key).arg(0).arg(options.text_bytes_max);
}

/// What the answers to [`ask_what`] say.
pub(super) fn see(
    kind: Value,
    text: Value,
    options: &TrackedOptions,
) -> Result<Sight, LinkFailure> {
    let kind = match kind {
        Value::SimpleString(kind) => kind,
        other => return Err(unexpected(other)),
    };
    match (kind.as_str(), text) {
        ("none", _) => Ok(Sight::Settled(None)),
        ("string", Value::BulkString(text)) if text.len() <= options.text_bytes_max => {
            Ok(Sight::Settled(Some(Stored::Text(text))))
        }
        ("string", Value::BulkString(_)) => Ok(Sight::Settled(Some(Stored::Other))),
        ("string", other) if !is_wrong_type(&other) => Err(unexpected(other)),
        ("list", _) => Ok(Sight::List),
        // What it changed into between the two is told, for its type was asked for.
        (_, _) => Ok(Sight::Settled(Some(Stored::Other))),
    }
}

/// Asks for the items of a list: one more than are taken.
pub(super) fn ask_items(questions: &mut Pipeline, key: &[u8], options: &TrackedOptions) {
    questions.cmd("LRANGE").arg(key).arg(0).arg(options.list_items_max);
}

/// What the answer to [`ask_items`] says.
pub(super) fn list(answer: Value, options: &TrackedOptions) -> Result<Option<Stored>, LinkFailure> {
    let items = match answer {
        Value::Array(items) => items,
        // No list any more; that is told.
        other if is_wrong_type(&other) => return Ok(Some(Stored::Other)),
        other => return Err(unexpected(other)),
    };
    if items.is_empty() {
        return Ok(None);
    }
    let count = items.len();
    let items: Vec<Vec<u8>> = items.into_iter().filter_map(bytes_of).collect();
    let bytes: usize = items.iter().map(Vec::len).sum();
    let fits =
        items.len() == count && count <= options.list_items_max && bytes <= options.list_bytes_max;
    Ok(Some(if fits { Stored::List(items) } else { Stored::Other }))
}

fn bytes_of(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

fn is_wrong_type(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.code() == "WRONGTYPE")
}

fn unexpected(value: Value) -> LinkFailure {
    match value {
        Value::ServerError(error) => LinkFailure::Refused(RedisError::from(error).to_string()),
        _ => LinkFailure::Refused("an answer of another type than was asked for".to_owned()),
    }
}
