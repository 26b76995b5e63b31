//! What a call is told: JSON, read whole within a bound.

use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use crate::server::RequestBody;

/// Bytes of a call's body: a thousand URLs of a kilobyte each.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;

/// Why a body is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is longer than [`BODY_BYTES_MAX`].
    TooLong,
    /// It broke off.
    Cut,
    /// It is not the JSON that is expected; where and why not.
    Malformed(String),
}

/// Reads a body as the JSON of a type.
pub(super) async fn json<T: DeserializeOwned>(body: RequestBody) -> Result<T, Unread> {
    let bytes = whole(body).await?;
    serde_json::from_slice(&bytes).map_err(|cause| Unread::Malformed(cause.to_string()))
}

async fn whole(mut body: RequestBody) -> Result<Vec<u8>, Unread> {
    if body.length().is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return Err(Unread::TooLong);
    }
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Err(Unread::Cut) };
        let Ok(piece) = frame.into_data() else { continue };
        if read.len() + piece.len() > BODY_BYTES_MAX {
            return Err(Unread::TooLong);
        }
        read.extend_from_slice(&piece);
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn a_body_is_json_within_its_bound() {
        let read = async |text: String| json::<Value>(RequestBody::whole(Bytes::from(text))).await;
        assert_eq!(read("{\"a\":1}".into()).await.unwrap()["a"], 1);
        let longest = format!("\"{}\"", "x".repeat(BODY_BYTES_MAX - 2));
        assert!(read(longest.clone()).await.is_ok());
        assert_eq!(read(longest + " ").await, Err(Unread::TooLong));
        for text in ["", "{", "nonsense", "{} {}"] {
            let said = read(text.into()).await;
            assert!(matches!(said, Err(Unread::Malformed(_))), "{text}: {said:?}");
        }
        let deep = "[".repeat(100_000);
        assert!(matches!(read(deep).await, Err(Unread::Malformed(_))));
    }
}
