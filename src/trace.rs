//! Trace ids: 64 bits that follow a request from node to node.
//!
//! From high to low, 16 bits each: the node where the trace began, the second when it began, a
//! sequence number, and the node that passed it on last.

/// The lowest 16 bits: who passed the id on.
const PARENT: u64 = 0xffff;

/// Makes and passes on the ids of one node.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tracer {
    node: u16,
    sequence: u16,
}

impl Tracer {
    /// Sets this node's number, of which 16 bits count; ids made before keep theirs.
    pub fn set_node(&mut self, node: u64) {
        self.node = (node & PARENT) as u16;
    }

    /// A new trace that begins here. The sequence starts at 1 and wraps.
    pub fn spawn(&mut self, unix_seconds: u64) -> u64 {
        self.sequence = self.sequence.wrapping_add(1);
        u64::from(self.node) << 48 | (unix_seconds & 0xffff) << 32 | u64::from(self.sequence) << 16
    }

    /// The id as the next node is to see it: passed on by this one.
    pub fn propagate(&self, id: u64) -> u64 {
        (id & !PARENT) | u64::from(self.node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_carries_root_time_sequence_and_parent() {
        let mut tracer = Tracer::default();
        tracer.set_node(0x1_beef);
        assert_eq!(tracer.spawn(0x7_1234), 0xbeef_1234_0001_0000);
        assert_eq!(tracer.spawn(0x7_1234), 0xbeef_1234_0002_0000);
        assert_eq!(tracer.propagate(0xbeef_1234_0002_0000), 0xbeef_1234_0002_beef);
        tracer.set_node(0x77);
        assert_eq!(tracer.propagate(0xaaaa_bbbb_cccc_dddd), 0xaaaa_bbbb_cccc_0077);
        assert_eq!(tracer.propagate(0), 0x77);
    }

    #[test]
    fn the_sequence_wraps() {
        let mut tracer = Tracer { node: 1, sequence: u16::MAX };
        assert_eq!(tracer.spawn(0), 1 << 48);
    }
}
