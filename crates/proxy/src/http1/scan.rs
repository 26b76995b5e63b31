//! Finds where a block of lines ends: a head or a trailer section (9112 2.2, 7.1.2).
//!
//! It goes over each byte once however the bytes arrive, and finds the same for every way in which
//! they are split. Every line ends with CRLF; a bare LF is refused where it stands.

use super::{Fault, FaultKind};

/// What a block of lines may measure.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// Bytes of its first line.
    pub(crate) first_line_bytes_max: usize,
    /// Bytes of all of it.
    pub(crate) bytes_max: usize,
    /// Lines, the empty one at the end not counted.
    pub(crate) lines_max: usize,
}

/// A scan under way.
#[derive(Default)]
pub(crate) struct Scan {
    position: usize,
    line_start: usize,
    /// Where the first line begins.
    start: usize,
    lines: usize,
}

/// A whole block of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Where its first line begins.
    pub(crate) start: usize,
    /// Where what follows it begins: behind the empty line.
    pub(crate) end: usize,
    /// How many lines it has.
    pub(crate) lines: usize,
}

impl Scan {
    /// Goes on over a request head. One empty line before it is skipped (9112 2.2).
    pub(crate) fn request_head(
        &mut self,
        input: &[u8],
        bounds: Bounds,
    ) -> Result<Option<Block>, Fault> {
        if input.get(self.start).is_some_and(|first| !is_head_start(*first)) {
            return Err(Fault::syntax("the request does not begin with a method"));
        }
        let block = self.block(input, bounds)?;
        let Some(block) = block.filter(|block| block.lines == 0) else { return Ok(block) };
        if self.start > 0 {
            return Err(Fault::syntax("the request begins with empty lines"));
        }
        self.start = block.end;
        self.line_start = block.end;
        self.position = block.end;
        self.request_head(input, bounds)
    }

    /// Goes on over a response head, or over a trailer section, which may have no line.
    pub(crate) fn block(&mut self, input: &[u8], bounds: Bounds) -> Result<Option<Block>, Fault> {
        let from = self.position;
        for offset in memchr::memchr_iter(b'\n', &input[from..]) {
            let line_end = from + offset;
            self.within(line_end + 1, bounds)?;
            if line_end == self.line_start || input[line_end - 1] != b'\r' {
                return Err(Fault::syntax("a line ends with LF alone"));
            }
            let empty = line_end == self.line_start + 1;
            self.position = line_end + 1;
            self.line_start = line_end + 1;
            if empty {
                return Ok(Some(Block { start: self.start, end: line_end + 1, lines: self.lines }));
            }
            self.lines += 1;
            if self.lines > bounds.lines_max {
                return Err(Fault::new(FaultKind::BlockTooLarge, "too many fields"));
            }
        }
        self.position = input.len();
        self.within(input.len(), bounds)?;
        Ok(None)
    }

    fn within(&self, end: usize, bounds: Bounds) -> Result<(), Fault> {
        if self.lines == 0 && end - self.line_start > bounds.first_line_bytes_max {
            return Err(Fault::new(FaultKind::LineTooLong, "the request line is too long"));
        }
        if end - self.start > bounds.bytes_max {
            return Err(Fault::new(FaultKind::BlockTooLarge, "the fields are too long"));
        }
        Ok(())
    }
}

/// A method is a token (9110 5.6.2); CR is the beginning of an empty line.
fn is_head_start(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"\r!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { first_line_bytes_max: 20, bytes_max: 40, lines_max: 3 };

    fn scan(input: &str, step: usize) -> Result<Option<Block>, Fault> {
        let mut scan = Scan::default();
        for end in (1..=input.len()).filter(|end| end % step == 0 || *end == input.len()) {
            if let Some(block) = scan.request_head(&input.as_bytes()[..end], BOUNDS)? {
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    #[test]
    fn a_head_ends_at_an_empty_line_however_its_bytes_arrive() {
        let block = |start, end, lines| Ok(Some(Block { start, end, lines }));
        let syntax_error = |text| Err(Fault::syntax(text));
        for (input, expected) in [
            ("GET /\r\n\r\nrest", block(0, 9, 1)),
            ("\r\nGET /\r\na:b\r\n\r\n", block(2, 16, 2)),
            ("GET /\r\na:b\r\n", Ok(None)),
            ("\r\n\r\nGET /\r\n\r\n", syntax_error("the request begins with empty lines")),
            ("GET /\na:b\r\n\r\n", syntax_error("a line ends with LF alone")),
            ("GET /\r\na:b\n\r\n", syntax_error("a line ends with LF alone")),
            ("\nGET /\r\n\r\n", syntax_error("the request does not begin with a method")),
            (" GET /\r\n\r\n", syntax_error("the request does not begin with a method")),
        ] {
            for step in 1..=input.len() {
                assert_eq!(scan(input, step), expected, "{input:?} by {step}");
            }
        }
    }

    #[test]
    fn a_head_that_outgrows_its_bounds_is_refused_however_its_bytes_arrive() {
        for (input, reason) in [
            ("GET /0123456789012345 HTTP/1.1\r\n\r\n", FaultKind::LineTooLong),
            ("GET /\r\na: 0123456789012345678901234567890123456789", FaultKind::BlockTooLarge),
            ("GET /\r\na:b\r\na:b\r\na:b\r\na:b\r\n\r\n", FaultKind::BlockTooLarge),
        ] {
            for step in 1..=input.len() {
                let fault = scan(input, step).expect_err(input);
                assert_eq!(fault.kind, reason, "{input:?} by {step}");
            }
        }
    }
}
