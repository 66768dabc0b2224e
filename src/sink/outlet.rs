//! One way out: a standard stream of the process, or a file. Writing never blocks, as far as the
//! system allows it, and raises no signal.
//!
//! The standard streams are shared with whoever else has them, so their descriptions are never made
//! non-blocking. A pipe or a terminal is opened a second time instead, which gives a description
//! of our own.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::shield::Shield;

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Stdout,
    Stderr,
    /// Appended to; made if missing.
    File(PathBuf),
}

/// How to write without blocking.
#[derive(Debug)]
enum Way {
    /// A description of our own, non-blocking where that means anything.
    Own(File),
    /// A regular file behind a standard stream.
    Plain(RawFd),
    /// Told with each call not to block.
    Socket(RawFd),
    /// Asked before each write, which is so small that a pipe with any room takes it whole.
    Polled(RawFd),
}

/// What tells one open file from another that has taken its descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: libc::dev_t,
    inode: libc::ino_t,
}

#[derive(Debug)]
pub(super) struct Outlet {
    target: Target,
    /// Found at the first write; a standard stream's again when it has been redirected.
    way: Option<(Identity, Way)>,
}

impl Outlet {
    pub(super) fn new(target: Target) -> Outlet {
        Outlet { target, way: None }
    }

    /// Opens a file; the standard streams are open already, or not there at all.
    pub(super) fn open(target: Target) -> io::Result<Outlet> {
        let way = match &target {
            Target::File(path) => {
                let file = open(path, OpenOptions::new().append(true).create(true))?;
                Some((look(file.as_raw_fd())?.0, Way::Own(file)))
            }
            Target::Stdout | Target::Stderr => None,
        };
        Ok(Outlet { target, way })
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// What the script has printed so far goes first, so that both keep their order. Where there is
    /// no room for it, it stays: C's buffer is no larger than what a pipe with room takes.
    pub(super) fn flush_stdio(&self) {
        unsafe extern "C" {
            #[cfg_attr(target_os = "macos", link_name = "__stdoutp")]
            static stdout: *mut libc::FILE;
        }
        if self.target == Target::Stdout && has_room(libc::STDOUT_FILENO) {
            let _shield = Shield::raise();
            // SAFETY: C's own stream, which lives as long as the process; fflush locks it.
            unsafe { libc::fflush(stdout) };
        }
    }

    /// Writes some of the bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let way = self.way()?;
        let shield = Shield::raise();
        let outcome = match way {
            Way::Own(file) => (&*file).write(bytes),
            Way::Plain(fd) => write(*fd, bytes),
            Way::Socket(fd) => send(*fd, bytes),
            Way::Polled(fd) if has_room(*fd) => write(*fd, bytes.get(..PIPE_BUF).unwrap_or(bytes)),
            Way::Polled(_) => Err(io::ErrorKind::WouldBlock.into()),
        };
        if let Err(error) = &outcome {
            shield.absorb(error);
        }
        outcome
    }

    fn way(&mut self) -> io::Result<&Way> {
        let standard = match self.target {
            Target::Stdout => Some(libc::STDOUT_FILENO),
            Target::Stderr => Some(libc::STDERR_FILENO),
            Target::File(_) => None,
        };
        if let Some(fd) = standard {
            let seen = look(fd).inspect_err(|_| self.way = None)?;
            if self.way.as_ref().is_none_or(|(known, _)| *known != seen.0) {
                self.way = Some((seen.0, find(fd, seen.1)));
            }
        }
        match &self.way {
            Some((_, way)) => Ok(way),
            None => Err(io::Error::from_raw_os_error(libc::EBADF)),
        }
    }
}

/// A write of this size goes into a pipe with room whole, or not at all.
const PIPE_BUF: usize = libc::PIPE_BUF;

/// Opens without waiting: a named pipe without a reader is an error, not a place to stop.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

/// The best way to write to a standard stream.
fn find(fd: RawFd, mode: libc::mode_t) -> Way {
    match mode & libc::S_IFMT {
        libc::S_IFREG => Way::Plain(fd),
        libc::S_IFSOCK => Way::Socket(fd),
        _ if cfg!(target_os = "linux") => {
            let path = format!("/proc/self/fd/{fd}");
            match open(Path::new(&path), OpenOptions::new().write(true)) {
                Ok(file) => Way::Own(file),
                // No reader any more, another user's terminal, no /proc.
                Err(_) => Way::Polled(fd),
            }
        }
        // Elsewhere opening /dev/fd gives the description that is there already.
        _ => Way::Polled(fd),
    }
}

fn look(fd: RawFd) -> io::Result<(Identity, libc::mode_t)> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: fills in the place it is given, or fails.
    if unsafe { libc::fstat(fd, status.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded.
    let status = unsafe { status.assume_init() };
    Ok((Identity { device: status.st_dev, inode: status.st_ino }, status.st_mode))
}

/// True where a write would not block; also where it would fail, which it then says itself.
fn has_room(fd: RawFd) -> bool {
    let mut asked = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    // SAFETY: one entry, valid for the call, which does not wait.
    unsafe { libc::poll(&mut asked, 1, 0) == 1 }
}

fn write(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the bytes are valid for the call.
    counted(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) })
}

fn send(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the bytes are valid for the call.
    counted(unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), flags) })
}

fn counted(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}
