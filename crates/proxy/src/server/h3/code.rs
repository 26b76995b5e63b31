//! Why a stream or a connection ends (9114 8.1, 9204 6).

/// An error code of HTTP/3 or QPACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Nothing is wrong; it is only over.
    NoError,
    /// We failed.
    InternalError,
    /// A stream that may not be opened, or not twice.
    StreamCreationError,
    /// A stream has ended that must stay open.
    ClosedCriticalStream,
    /// A frame where it may not be.
    FrameUnexpected,
    /// A frame that is not what its length or type says.
    FrameError,
    /// The client makes more work than anybody who wants answers.
    ExcessiveLoad,
    /// A number that was never given out, or that goes the wrong way.
    IdError,
    /// A setting that may not be.
    SettingsError,
    /// The control stream does not begin with settings.
    MissingSettings,
    /// Nothing was done with the request; it can be sent again.
    RequestRejected,
    /// The request or its answer is given up.
    RequestCancelled,
    /// The request ends before its head.
    RequestIncomplete,
    /// The message is malformed.
    MessageError,
    /// A field section that cannot be read.
    QpackDecompressionFailed,
    /// An instruction on the encoder stream that may not be.
    QpackEncoderStreamError,
    /// An instruction on the decoder stream that may not be.
    QpackDecoderStreamError,
}

/// What a client did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which rule it has broken.
    pub code: Code,
    /// How, in one line; nothing in it comes from the client.
    pub text: &'static str,
}

impl Code {
    /// The code on the wire.
    pub fn number(self) -> u32 {
        match self {
            Code::NoError => 0x100,
            Code::InternalError => 0x102,
            Code::StreamCreationError => 0x103,
            Code::ClosedCriticalStream => 0x104,
            Code::FrameUnexpected => 0x105,
            Code::FrameError => 0x106,
            Code::ExcessiveLoad => 0x107,
            Code::IdError => 0x108,
            Code::SettingsError => 0x109,
            Code::MissingSettings => 0x10a,
            Code::RequestRejected => 0x10b,
            Code::RequestCancelled => 0x10c,
            Code::RequestIncomplete => 0x10d,
            Code::MessageError => 0x10e,
            Code::QpackDecompressionFailed => 0x200,
            Code::QpackEncoderStreamError => 0x201,
            Code::QpackDecoderStreamError => 0x202,
        }
    }

    /// Whether it ends one stream alone, where a request is.
    pub fn is_of_stream(self) -> bool {
        match self {
            Code::NoError
            | Code::RequestRejected
            | Code::RequestCancelled
            | Code::RequestIncomplete
            | Code::MessageError => true,
            Code::InternalError
            | Code::StreamCreationError
            | Code::ClosedCriticalStream
            | Code::FrameUnexpected
            | Code::FrameError
            | Code::ExcessiveLoad
            | Code::IdError
            | Code::SettingsError
            | Code::MissingSettings
            | Code::QpackDecompressionFailed
            | Code::QpackEncoderStreamError
            | Code::QpackDecoderStreamError => false,
        }
    }
}

impl Fault {
    /// This rule is broken, so.
    pub fn new(code: Code, text: &'static str) -> Self {
        Fault { code, text }
    }
}

impl From<Code> for quinn::VarInt {
    fn from(code: Code) -> Self {
        quinn::VarInt::from_u32(code.number())
    }
}
