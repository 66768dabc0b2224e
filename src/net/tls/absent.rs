//! What stands for TLS in a library that was built without it: types of which there is nothing.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::transport::Transport;

use super::{Flaw, Names, Settings};

/// What an end shows and whom it takes.
#[derive(Debug)]
pub struct Credentials(Infallible);

impl Credentials {
    pub fn read(_: Settings) -> Result<Credentials, String> {
        Err("this library was built without TLS: build it with the feature tls of cargo".to_owned())
    }

    pub fn reread(&self) -> Result<Infallible, String> {
        match self.0 {}
    }

    pub fn renew(&self, _: Infallible) {
        match self.0 {}
    }

    pub async fn accept(
        &self,
        _: Transport,
        _: Duration,
    ) -> Result<Transport, (String, Option<Transport>)> {
        match self.0 {}
    }

    pub async fn connect(&self, _: Transport, _: &str) -> Result<Transport, String> {
        match self.0 {}
    }
}

/// A connection with TLS.
#[derive(Debug)]
pub struct Session(Infallible);

impl Session {
    pub(in crate::net) fn transport(&self) -> &Transport {
        match self.0 {}
    }

    pub(in crate::net) fn names(&self) -> Option<&Names> {
        match self.0 {}
    }
}

impl AsyncRead for Session {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}

impl AsyncWrite for Session {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        match self.0 {}
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}

/// What is wrong with bytes that have come; never TLS.
pub fn flaw(_: &io::Error) -> Option<Flaw> {
    None
}
