//! One connection as two byte queues: what has arrived and what is still to be written.
//!
//! It is separate from what the bytes mean so that every protocol shares it. There is no read
//! buffer per connection: bytes are read straight into the caller's arena, and only the beginning
//! of a message whose rest has not arrived is kept here. Ten thousand idle connections therefore
//! hold no buffers at all. A message that is longer than a read is gathered here, so that it is not
//! copied with each part that comes; its memory follows what has come, not what was announced.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::endpoint::Endpoint;
use super::keepalive;
use super::listener::INHERITED;
use super::tls::Names;
use super::transport::Transport;

/// How much one read asks of the kernel. Smaller costs a system call per few messages under load;
/// larger lets one busy connection hold up the others for longer.
pub const READ_CHUNK: usize = 64 * 1024;

/// How much is written at a time before others get their turn; the other end may take it as fast as it
/// is written.
const WRITE_SHARE: usize = 1024 * 1024;

/// An output buffer that has grown beyond this is given back once it is empty, so that a burst
/// does not stay resident for the life of the connection.
const KEEP_CAPACITY: usize = 16 * 1024;

/// What one read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Bytes were appended to the arena; `more` when the kernel probably holds further ones.
    Bytes { more: bool },
    /// So many bytes of a long message have come.
    Part { count: usize, more: bool },
    /// The last so many of them: it can be taken with [`take_message`](Connection::take_message).
    Message { count: usize },
    /// The other end has finished in order.
    End,
}

/// A connected socket with its queues.
#[derive(Debug)]
pub struct Connection {
    stream: Transport,
    remote: Endpoint,
    partial: Vec<u8>,
    /// How long the message is whose beginning is kept, as far as it is known.
    whole: usize,
    out: BytesMut,
    /// TLS holds some of what was taken from `out`.
    held: bool,
    received: u64,
    sent: u64,
}

impl Connection {
    /// Takes over a connected stream. Small writes leave at once: they are coalesced here, by
    /// whoever queues them, and never by a timer in the kernel.
    pub fn new(stream: Transport, remote: Endpoint) -> Connection {
        if let Some(socket) = stream.tcp() {
            // Fails only on a connection that is gone already, which the first read will tell.
            let _ = socket.set_tcp_nodelay(true);
        }
        Connection::over(stream, remote)
    }

    /// The same for one that has come in; `keepalive` is what its listener was told.
    pub fn accepted(
        stream: Transport,
        remote: Endpoint,
        keepalive: Option<Duration>,
    ) -> Connection {
        if INHERITED {
            return Connection::over(stream, remote);
        }
        let connection = Connection::new(stream, remote);
        if let Some(limit) = keepalive {
            connection.keep_alive(limit);
        }
        connection
    }

    fn over(stream: Transport, remote: Endpoint) -> Connection {
        Connection {
            stream,
            remote,
            partial: Vec::new(),
            whole: 0,
            out: BytesMut::new(),
            held: false,
            received: 0,
            sent: 0,
        }
    }

    /// Ends by itself, with a timeout, once the other end has not been heard of for so long, or has
    /// not taken anything of what is queued for it. In whole seconds, from two on.
    pub fn keep_alive(&self, limit: Duration) {
        // The other end of a Unix socket cannot go without a word.
        if let Some(socket) = self.stream.tcp() {
            // Fails only where setting NODELAY does.
            let _ = keepalive::watch(socket, limit);
        }
    }

    /// The other end's address.
    pub fn remote(&self) -> &Endpoint {
        &self.remote
    }

    /// The names in its certificate, where it has shown one that was verified.
    pub fn names(&self) -> Option<&Names> {
        self.stream.names()
    }

    /// How many bytes have arrived so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// How many bytes have been written so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Reads once, appending to `arena` first what was kept by [`keep`](Self::keep) and then what
    /// has just arrived; unless that is the rest of a long message. Nothing is appended when nothing
    /// can be read; the context's waker is then woken when something can.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        arena: &mut Vec<u8>,
    ) -> Poll<io::Result<Arrival>> {
        ready!(self.stream.poll_read_ready(cx))?;
        if self.whole > READ_CHUNK {
            return self.poll_gather(cx);
        }
        let start = arena.len();
        arena.extend_from_slice(&self.partial);
        arena.reserve(READ_CHUNK);
        let outcome = {
            let mut room = (&mut *arena).limit(READ_CHUNK);
            // Its future keeps nothing between two polls, so each read has one of its own.
            pin!(self.stream.read_buf(&mut room)).poll(cx)
        };
        match outcome {
            Poll::Ready(Ok(count)) if count > 0 => {
                self.take_message();
                self.received += count as u64;
                Poll::Ready(Ok(Arrival::Bytes { more: count == READ_CHUNK }))
            }
            other => {
                arena.truncate(start);
                ready!(other)?;
                Poll::Ready(Ok(Arrival::End))
            }
        }
    }

    /// Reads more of a long message, and nothing of what comes after it.
    fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Arrival>> {
        // Above 0: what is kept is always less than the whole of it.
        let left = self.whole.saturating_sub(self.partial.len());
        let share = left.min(READ_CHUNK);
        if self.partial.capacity() - self.partial.len() < share {
            // Doubles, like any vector, but never beyond the message.
            self.partial.reserve_exact(left.min(self.partial.len().max(share)));
        }
        let mut room = (&mut self.partial).limit(share);
        let count = ready!(pin!(self.stream.read_buf(&mut room)).poll(cx))?;
        if count == 0 {
            return Poll::Ready(Ok(Arrival::End));
        }
        self.received += count as u64;
        Poll::Ready(Ok(match count == left {
            true => Arrival::Message { count },
            false => Arrival::Part { count, more: count == share },
        }))
    }

    /// Keeps the beginning of an unfinished message, which will have at least `whole` bytes; the next
    /// read puts it back in front.
    pub fn keep(&mut self, unfinished: &[u8], whole: usize) {
        self.partial = unfinished.to_vec();
        self.whole = whole;
    }

    /// Takes what is kept away.
    pub fn take_message(&mut self) -> Vec<u8> {
        self.whole = 0;
        std::mem::take(&mut self.partial)
    }

    /// True while it keeps some.
    pub fn keeps_some(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Puts what was kept back into the arena, without reading.
    pub fn recall(&mut self, arena: &mut Vec<u8>) -> Arrival {
        arena.extend_from_slice(&self.take_message());
        Arrival::Bytes { more: false }
    }

    /// The bytes still to be written; whoever appends must see to it that
    /// [`poll_write`](Self::poll_write) is called.
    pub fn out(&mut self) -> &mut BytesMut {
        &mut self.out
    }

    /// How many bytes neither the kernel nor TLS has taken yet; at least one while TLS holds some.
    pub fn queued(&self) -> usize {
        self.out.len() + usize::from(self.held)
    }

    /// Writes until the queue is empty, or the kernel's buffer is full: the context's waker is then
    /// woken when there is room again. Ready with something queued still when this was its share.
    pub fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let end = self.sent + WRITE_SHARE as u64;
        while !self.out.is_empty() {
            if self.sent >= end {
                return Poll::Ready(Ok(()));
            }
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.advance(count);
            self.sent += count as u64;
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.held = flushed.is_pending();
        ready!(flushed)?;
        // What was written in front still belongs to the buffer: reclaiming tells its real size.
        if self.out.try_reclaim(KEEP_CAPACITY + 1) {
            self.out = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Tells the other end that nothing more will come, while still reading.
    pub fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
