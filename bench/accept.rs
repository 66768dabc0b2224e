//! A bare tokio accept loop: it takes connections in, keeps them, and does nothing else.
//!
//! spec/reliability/scale_spec.lua sets what an accept of a node costs beside one of these.
//! Prints the address that it listens on, and runs until it is killed.

use std::io;

use tokio::net::TcpSocket;
use tokio::runtime::Builder;

/// As long a queue as the node has that it is compared with.
const BACKLOG: u32 = 4096;

fn main() -> io::Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(accept())
}

async fn accept() -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let listener = socket.listen(BACKLOG)?;
    println!("{}", listener.local_addr()?);
    let mut kept = Vec::new();
    loop {
        kept.push(listener.accept().await?);
    }
}
