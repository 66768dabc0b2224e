//! The floor that the library is measured against: the same frames over one connection, with no Lua,
//! no framework, no deadlines and no callbacks.
//!
//! Each process waits in epoll before every read, reads at most 64 KiB, and answers all whole frames
//! of a read with one write. The client keeps as many calls under way as it is asked to, and makes up
//! for those that were answered after each read.
//!
//!     floor server                            prints its address, answers one client, ends with it
//!     floor client ADDRESS CALLERS SIZE MS    prints calls per second
//!     floor sink SIZE MS                      prints its address, then messages per second
//!     floor sender ADDRESS SIZE               sends until the other end has had enough

use std::env;
use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;

/// The most that one read asks for.
const READ: usize = 64 * 1024;

/// What has been written in front of the rest is cut off once it is so much.
const COMPACT: usize = 1024 * 1024;

/// A fifth of the time passes before anything counts.
const BEFORE: u32 = 5;

/// In the last byte of a session: this is an answer.
const RESPONSE_BYTE: u8 = 0x80;

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["server"] => serve(&mut listen()?),
        ["client", address, callers, size, ms] => {
            call(&mut connect(address)?, callers.parse()?, size.parse()?, ms.parse()?)
        }
        ["sink", size, ms] => sink(size.parse()?, ms.parse()?),
        ["sender", address, size] => send(&mut connect(address)?, size.parse()?),
        _ => Err("usage: floor server | client ... | sink ... | sender ...".into()),
    }
}

fn listen() -> Result<Wire, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    Wire::new(listener.accept()?.0)
}

fn connect(address: &str) -> Result<Wire, Failure> {
    Wire::new(TcpStream::connect(address)?)
}

/// A connection with its epoll set, what was read and is not a whole frame yet, and what the kernel
/// has not taken.
struct Wire {
    stream: TcpStream,
    poll: OwnedFd,
    events: Vec<epoll::Event>,
    input: Vec<u8>,
    filled: usize,
    output: Vec<u8>,
    written: usize,
    blocked: bool,
}

impl Wire {
    fn new(stream: TcpStream) -> Result<Wire, Failure> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let poll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&poll, &stream, EventData::new_u64(0), EventFlags::IN)?;
        Ok(Wire {
            stream,
            poll,
            events: Vec::with_capacity(1),
            input: vec![0; 2 * READ],
            filled: 0,
            output: Vec::new(),
            written: 0,
            blocked: false,
        })
    }

    fn wait(&mut self) -> Result<(), Failure> {
        self.events.clear();
        epoll::wait(&self.poll, spare_capacity(&mut self.events), None)?;
        Ok(())
    }

    /// Waits, then reads once. False at the end.
    fn read(&mut self) -> Result<bool, Failure> {
        self.wait()?;
        match self.stream.read(&mut self.input[self.filled..self.filled + READ]) {
            Ok(count) => {
                self.filled += count;
                Ok(count > 0)
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => Ok(true),
                ErrorKind::ConnectionReset => Ok(false), // it left with answers unread
                _ => Err(error.into()),
            },
        }
    }

    /// Hands over every whole frame, without its length, along with the output.
    fn frames(&mut self, mut each: impl FnMut(&[u8], &mut Vec<u8>)) {
        let mut at = 0;
        while let Some(&prefix) = self.input[at..self.filled].first_chunk() {
            let end = at + 2 + usize::from(u16::from_be_bytes(prefix));
            if end > self.filled {
                break;
            }
            each(&self.input[at + 2..end], &mut self.output);
            at = end;
        }
        self.input.copy_within(at..self.filled, 0);
        self.filled -= at;
    }

    /// Writes once. What the kernel does not take has another chance when it has room.
    fn write(&mut self) -> Result<(), Failure> {
        if self.output.is_empty() {
            return Ok(());
        }
        self.written += match self.stream.write(&self.output[self.written..]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            outcome => outcome?,
        };
        if self.written == self.output.len() || self.written > COMPACT {
            self.output.drain(..self.written);
            self.written = 0;
        }
        if self.blocked == self.output.is_empty() {
            self.blocked = !self.blocked;
            let flags =
                if self.blocked { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            epoll::modify(&self.poll, &self.stream, EventData::new_u64(0), flags)?;
        }
        Ok(())
    }
}

/// What has happened per second, once the first part of the time is over.
struct Meter {
    begin: Instant,
    end: Instant,
    before: Option<(Instant, u64)>,
}

impl Meter {
    fn new(ms: u32) -> Meter {
        let (now, all) = (Instant::now(), Duration::from_millis(u64::from(ms)));
        Meter { begin: now + all / BEFORE, end: now + all, before: None }
    }

    /// The rate, when the time is over.
    fn rate(&mut self, count: u64) -> Option<f64> {
        let now = Instant::now();
        if now < self.begin {
            return None;
        }
        let (since, before) = *self.before.get_or_insert((now, count));
        (now >= self.end).then(|| (count - before) as f64 / (now - since).as_secs_f64())
    }
}

fn request(output: &mut Vec<u8>, session: u32, body: &[u8]) {
    let len = (body.len() + 16) as u16;
    output.extend_from_slice(&len.to_be_bytes());
    output.extend_from_slice(body);
    output.extend_from_slice(&0u64.to_le_bytes());
    output.extend_from_slice(&1u32.to_le_bytes());
    output.extend_from_slice(&session.to_le_bytes());
}

fn serve(wire: &mut Wire) -> Result<(), Failure> {
    // The client leaves with answers on the way.
    while wire.read()? {
        wire.frames(|frame, output| {
            let (body, fields) = frame.split_at(frame.len() - 16);
            let mut session = [fields[12], fields[13], fields[14], fields[15]];
            session[3] |= RESPONSE_BYTE;
            output.extend_from_slice(&((body.len() + 4) as u16).to_be_bytes());
            output.extend_from_slice(body);
            output.extend_from_slice(&session);
        });
        if wire.write().is_err() {
            break;
        }
    }
    Ok(())
}

fn call(wire: &mut Wire, callers: u32, size: usize, ms: u32) -> Result<(), Failure> {
    let body = vec![b'x'; size];
    let (mut session, mut answers) = (0u32, 0u64);
    for _ in 0..callers {
        request(&mut wire.output, session, &body);
        session += 1;
    }
    wire.write()?;
    let mut meter = Meter::new(ms);
    while wire.read()? {
        wire.frames(|frame, output| {
            assert_eq!(frame.len(), size + 4, "an answer of another size");
            answers += 1;
            request(output, session & !(1 << 31), &body);
            session = session.wrapping_add(1);
        });
        wire.write()?;
        if let Some(rate) = meter.rate(answers) {
            println!("{rate:.0}");
            return Ok(());
        }
    }
    Err("the server has left".into())
}

fn sink(size: usize, ms: u32) -> Result<(), Failure> {
    let mut wire = listen()?;
    let (mut count, mut meter) = (0u64, Meter::new(ms));
    while wire.read()? {
        wire.frames(|frame, _| {
            assert_eq!(frame.len(), size + 16, "a message of another size");
            count += 1;
        });
        if let Some(rate) = meter.rate(count) {
            println!("{rate:.0}");
            return Ok(());
        }
    }
    Err("the sender has left".into())
}

fn send(wire: &mut Wire, size: usize) -> Result<(), Failure> {
    let body = vec![b'x'; size];
    let mut session = 0u32;
    loop {
        while wire.output.len() - wire.written < READ {
            request(&mut wire.output, session & !(1 << 31), &body);
            session = session.wrapping_add(1);
        }
        if wire.write().is_err() {
            return Ok(()); // the other end has had enough
        }
        if wire.blocked {
            wire.wait()?;
        }
    }
}
