//! The `Date` field of now, rendered once a second and thread.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `date: ` and its line end around the 29 bytes of an IMF-fixdate (9110 5.6.7).
const LINE_BYTES: usize = 6 + 29 + 2;

struct Rendered {
    second: u64,
    line: [u8; LINE_BYTES],
}

thread_local! {
    static RENDERED: RefCell<Rendered> =
        const { RefCell::new(Rendered { second: u64::MAX, line: [0; LINE_BYTES] }) };
}

/// Appends the whole field line.
pub(super) fn append_date(out: &mut Vec<u8>) {
    let second = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    RENDERED.with_borrow_mut(|rendered| {
        if rendered.second != second {
            rendered.line = render(second);
            rendered.second = second;
        }
        out.extend_from_slice(&rendered.line);
    });
}

fn render(second: u64) -> [u8; LINE_BYTES] {
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
    let mut line = [b' '; LINE_BYTES];
    line[..6].copy_from_slice(b"date: ");
    for (place, byte) in line[6..].iter_mut().zip(date.bytes()) {
        *place = byte;
    }
    line[LINE_BYTES - 2..].copy_from_slice(b"\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_is_an_imf_fixdate() {
        assert_eq!(&render(784_111_777)[..], b"date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    }
}
