//! Where a set of descriptors is no descriptor that another set takes reliably.

use std::io;
use std::task::Waker;
use std::time::Instant;

use tokio::runtime::Handle;

/// There is none, and never a value of this type.
#[derive(Debug)]
pub(in crate::reactor) enum Lamp {}

impl Lamp {
    /// Refuses.
    pub(in crate::reactor) fn new(_: &Handle) -> io::Result<Lamp> {
        Err(io::Error::other("silly.fd is for Linux; elsewhere use silly.timeout and silly.step"))
    }

    pub(in crate::reactor) fn fd(&self) -> i32 {
        match *self {}
    }

    pub(in crate::reactor) fn bell(&self) -> Waker {
        match *self {}
    }

    pub(in crate::reactor) fn ring(&self) {
        match *self {}
    }

    pub(in crate::reactor) fn hush(&self) {
        match *self {}
    }

    pub(in crate::reactor) fn set(&mut self, _: Option<Instant>) {
        match *self {}
    }

    pub(in crate::reactor) fn extinguish(&mut self) {
        match *self {}
    }
}
