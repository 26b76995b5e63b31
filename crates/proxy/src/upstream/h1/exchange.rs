//! An exchange up to its response head: the request goes out, interim responses are told of.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderValue, Request, StatusCode};

use super::super::ended::Ended;
use super::super::member::Times;
use super::super::request::{RequestBody, Unsendable};
use super::super::retry::Reached;
use super::super::{Observer, cause};
use super::connection::{Connection, Wait};
use super::download::Download;
use super::request::{Framing, append_head};
use super::response::{self, HeadOnly, ResponseHead};
use super::socket::Tunnel;
use super::upload::{Upload, Waits};
use crate::failure::FailureKind;
use crate::http1::{Fault, FaultKind, Scan};

/// Interim responses to one request; an origin that says more says nothing.
const INTERIM_MAX: usize = 256;

/// An exchange on a connection, up to its response head. Dropped, the connection closes.
pub(in super::super) struct Exchange {
    connection: Box<Connection>,
    scan: Scan,
    interim: usize,
    /// Whether any byte came back.
    heard: bool,
}

impl Exchange {
    /// Puts the request where it goes out from.
    pub(in super::super) fn begin(
        mut connection: Box<Connection>,
        request: &mut Request<RequestBody>,
        member_host: &HeaderValue,
    ) -> Result<Self, Unsendable> {
        let framing = Framing::of(request)?;
        connection.socket.written = 0;
        connection.wait = Wait::default();
        let output = &mut connection.socket.output;
        append_head(&mut output.bytes, request, framing, member_host);
        connection.upload = Upload::new(output, request, framing);
        Ok(Exchange { connection, scan: Scan::default(), interim: 0, heard: false })
    }

    /// Sends, and waits for the final response's head.
    pub(in super::super) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        observer: Option<&Observer>,
        times: &Times,
    ) -> Poll<Result<ResponseHead, Ended>> {
        loop {
            if self.connection.poll_upload(cx).is_err() {
                return Poll::Ready(Err(FailureKind::RequestCut.into()));
            }
            match self.take_head(observer) {
                Ok(Some(head)) => return Poll::Ready(Ok(head)),
                Ok(None) => {}
                Err(fault) => {
                    return Poll::Ready(Err(Ended::because(FailureKind::Malformed, fault.text)));
                }
            }
            match self.connection.socket.poll_fill(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(FailureKind::HeadCut.into())),
                Poll::Ready(Ok(_)) => self.heard = true,
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(Ended::because(FailureKind::HeadCut, cause(&error))));
                }
                Poll::Pending => return self.poll_patience(cx, times).map(Err),
            }
        }
    }

    fn poll_patience(&mut self, cx: &mut Context<'_>, times: &Times) -> Poll<Ended> {
        let (limit, kind) = match self.connection.upload.waits() {
            Waits::Origin => (Some(times.send), FailureKind::SendTimeout),
            Waits::Nothing => (Some(times.read), FailureKind::HeadTimeout),
            Waits::Client => (None, FailureKind::HeadTimeout),
        };
        ready!(self.connection.poll_wait(cx, limit));
        Poll::Ready(kind.into())
    }

    /// Takes the final head off the input, and tells of those before it.
    fn take_head(&mut self, observer: Option<&Observer>) -> Result<Option<ResponseHead>, Fault> {
        let bounds = response::bounds(self.connection.head_bytes_max);
        loop {
            let input = &mut self.connection.socket.input;
            if !response::may_begin(input) {
                return Err(Fault::new(FaultKind::Syntax, "it is not HTTP/1"));
            }
            let Some(block) = self.scan.block(input, bounds)? else { return Ok(None) };
            self.scan = Scan::default();
            let head = response::parse(input, block)?;
            if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(Some(head));
            }
            self.interim += 1;
            if self.interim > INTERIM_MAX {
                return Err(Fault::new(FaultKind::Syntax, "there are too many interim responses"));
            }
            if let Some(observer) = observer {
                observer.tell(head.status, head.fields);
            }
        }
    }

    pub(in super::super) fn reached(&self) -> Reached {
        match (self.connection.socket.written, self.heard) {
            (_, true) => Reached::Somebody,
            (0, false) => Reached::Nobody,
            (_, false) => Reached::Silence,
        }
    }

    /// The streamed body of a request that reached nobody.
    pub(in super::super) fn take_stream(&mut self) -> Option<RequestBody> {
        self.connection.upload.take_stream()
    }

    /// The body behind a head that is no 101.
    pub(in super::super) fn into_download(
        mut self,
        head: &mut ResponseHead,
        head_only: HeadOnly,
        read_timeout: Duration,
    ) -> Result<Download, Ended> {
        let framed = head.body(head_only);
        let (decoder, persistence) =
            framed.map_err(|fault| Ended::because(FailureKind::Malformed, fault.text))?;
        self.connection.wait.end();
        self.connection.decoder = decoder;
        self.connection.persistence = persistence;
        Ok(Download::new(self.connection, read_timeout))
    }

    /// What follows a 101: nothing more is known of it. `None` when it came before its time.
    pub(in super::super) fn into_tunnel(self) -> Option<Tunnel> {
        let Connection { socket, upload, .. } = *self.connection;
        upload.is_whole().then(|| socket.into_tunnel())
    }
}
