//! The body of an answer.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use filer::{BytesOut, FilerError};
use futures_util::TryStreamExt;
use http_body::{Body, Frame, SizeHint};

use crate::keep_alive::{KeptAlive, Next};
use crate::rate_limits::ByteMeter;

/// Nothing, a text, or the bytes of an object.
pub enum ResponseBody {
    /// No bytes.
    Empty,
    /// All bytes at once.
    Full(Bytes),
    /// The bytes of an object. Their number is known; if there are fewer, the connection ends, but never the body.
    Stream {
        /// The source of the bytes.
        bytes: BytesOut,
        /// How many bytes are still to come.
        left: u64,
    },
    /// White space until the document is known.
    KeptAlive(KeptAlive),
}

impl ResponseBody {
    /// A body made of any bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self::Full(bytes.into())
    }

    /// The same body, whose bytes are counted: those of an object as they are sent.
    pub(crate) fn metered(self, meter: &ByteMeter) -> Self {
        match self {
            Self::Stream { bytes, left } if meter.is_on() => {
                let meter = meter.clone();
                let bytes = bytes.inspect_ok(move |piece| meter.count(piece.len() as u64));
                Self::Stream { bytes: Box::pin(bytes), left }
            }
            Self::Full(bytes) => {
                meter.count(bytes.len() as u64);
                Self::Full(bytes)
            }
            body => body,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = FilerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FilerError>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Self::Stream { bytes, left } => match bytes.as_mut().poll_next(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Some(Ok(data))) => {
                    *left = left.saturating_sub(data.len() as u64);
                    Poll::Ready(Some(Ok(Frame::data(data))))
                }
                Poll::Ready(Some(Err(error))) => {
                    tracing::warn!(%error, "an object could not be read to its end; the connection is closed");
                    Poll::Ready(Some(Err(error)))
                }
                Poll::Ready(None) => Poll::Ready(None),
            },
            Self::KeptAlive(kept) => match kept.poll(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Next::Early(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
                Poll::Ready(Next::Rest(rest)) => {
                    *self = rest;
                    self.poll_frame(context)
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_empty(),
            Self::Stream { left, .. } => *left == 0,
            Self::KeptAlive(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream { left, .. } => SizeHint::with_exact(*left),
            Self::KeptAlive(_) => SizeHint::default(),
        }
    }
}
