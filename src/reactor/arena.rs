//! Where what a turn has read stands until the next one: short messages one behind the other, long ones
//! each by itself, as they were gathered.

/// Reading stops for this turn once so much has arrived; the rest is read in the next one. More
/// would hold Lua up with one batch, less would cost a system call per few messages.
const LIMIT: usize = 1024 * 1024;

/// Memory beyond this is given back after the turn that needed it.
const KEEP: usize = 256 * 1024;

/// Some bytes in an arena. No frame is longer than what 32 bits say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Which long message; 0: the bytes stand among the short ones.
    body: u32,
    len: u32,
    start: usize,
}

impl Span {
    /// How many bytes it has.
    pub fn size(self) -> usize {
        self.len as usize
    }
}

/// All that one turn has read.
#[derive(Debug, Default)]
pub struct Arena {
    bytes: Vec<u8>,
    bodies: Vec<Vec<u8>>,
    /// What was read for long messages.
    beside: usize,
}

impl Arena {
    /// The bytes of a span.
    pub fn get(&self, span: Span) -> &[u8] {
        let body = match span.body.checked_sub(1) {
            None => Some(&self.bytes),
            Some(index) => self.bodies.get(index as usize),
        };
        // OK because spans are made from what stands here, and it shrinks only when no event is left.
        body.and_then(|body| body.get(span.start..span.start + span.size())).unwrap_or_default()
    }

    /// Where short messages are read to; `None` once the turn has read its fill.
    pub fn room(&mut self) -> Option<&mut Vec<u8>> {
        (self.bytes.len() + self.beside < LIMIT).then_some(&mut self.bytes)
    }

    /// The short messages from a place on.
    pub fn from(&self, start: usize) -> Option<&[u8]> {
        self.bytes.get(start..)
    }

    /// So many bytes from a place on, for an event to refer to.
    pub fn span(&self, start: usize, len: usize) -> Span {
        Span { body: 0, len: len as u32, start }
    }

    /// Cuts the short messages off: what stood behind was kept elsewhere.
    pub fn truncate(&mut self, end: usize) {
        self.bytes.truncate(end);
    }

    /// Counts what was read for a long message.
    pub fn charge(&mut self, count: usize) {
        self.beside += count;
    }

    /// Takes a long message in; the span is of so many bytes from a place in it on.
    pub fn adopt(&mut self, body: Vec<u8>, start: usize, len: usize) -> Span {
        self.bodies.push(body);
        Span { body: self.bodies.len() as u32, len: len as u32, start }
    }

    /// Forgets all of it.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEEP);
        self.bodies.clear();
        self.beside = 0;
    }

    /// True while nothing stands here.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.bodies.is_empty()
    }
}
