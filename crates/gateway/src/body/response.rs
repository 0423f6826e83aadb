//! The body of an answer.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use filer::{BytesOut, FilerError};
use http_body::{Body, Frame, SizeHint};

/// Nothing, a text, or an object on its way out.
pub enum ResponseBody {
    /// No bytes.
    Empty,
    /// All bytes at once.
    Full(Bytes),
    /// The bytes of an object; their number is known, and fewer end the connection, never the body.
    Stream {
        /// Where they come from.
        bytes: BytesOut,
        /// How many are still to come.
        left: u64,
    },
}

impl ResponseBody {
    /// A body out of anything that is bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self::Full(bytes.into())
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
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_empty(),
            Self::Stream { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream { left, .. } => SizeHint::with_exact(*left),
        }
    }
}
