//! The file of a Unix socket that is listened on: who may connect, and what is left of it by whoever ended
//! without removing it.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use socket2::{Domain, SockAddr, Socket, Type};

/// A bound socket's file, removed with this unless another one has taken its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: Arc<Path>,
    /// Which file it is: its device and number.
    identity: (u64, u64),
}

/// Binds a socket to a path; those with the rights in `mode` may connect to it. A file of a socket on which
/// nobody listens any more is removed first; anything else that is there is an error.
pub(super) fn bind(path: &Arc<Path>, mode: u32) -> io::Result<(Socket, SocketFile)> {
    let socket = restricted(open()?);
    let address = SockAddr::unix(path)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path, &address) => {
            fs::remove_file(path)?;
            socket.bind(&address)?;
        }
        outcome => outcome?,
    }
    let file =
        SocketFile { path: Arc::clone(path), identity: identity(&fs::symlink_metadata(path)?) };
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok((socket, file))
}

fn open() -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// On Linux the file that is bound has the rights of the socket, less the mask: without any nobody gets in
/// before it has those that were asked for. Elsewhere the system refuses this, and the mask alone holds.
fn restricted(socket: Socket) -> Socket {
    let file = File::from(OwnedFd::from(socket));
    let _ = file.set_permissions(Permissions::from_mode(0o000));
    Socket::from(OwnedFd::from(file))
}

/// True for the file of a socket on which nobody listens.
fn is_stale(path: &Path, address: &SockAddr) -> bool {
    let is_socket = |file: Metadata| file.file_type().is_socket();
    fs::symlink_metadata(path).is_ok_and(is_socket)
        && open()
            .and_then(|socket| socket.connect(address))
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| identity(&file) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
