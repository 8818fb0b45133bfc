//! What the daemon and its helper say to each other: one message a packet, numbers little-endian.
//!
//! ```text
//!   request   kind 1 | generation 4 | job 4 | flags 1 | timeout 4 (ms) | uid 4 | gid 4 | words 1
//!             then NUL-terminated strings: so many arguments, and variables of the environment
//!   cancel    kind 1 | generation 4 | job 4
//!   reply     kind 1 | generation 4 | job 4 | how 1 | value 4
//! ```
//!
//! Both sides are one binary, so there is no version. What cannot be read is dropped: the daemon
//! takes a job without a reply for lost after a while.

use core::ffi::CStr;
use core::fmt;

use crate::limits;
use crate::sys::Errno;
use crate::sys::error::Cause;
use crate::sys::signal::Signal;
use crate::time::Duration;

/// Bytes of a reply.
pub const REPLY_LEN: usize = 14;
/// Bytes in front of the strings of a request.
const HEAD_LEN: usize = 23;
const RUN: u8 = 1;
const CANCEL: u8 = 2;
const ENDED: u8 = 3;
const RESTARTED: u8 = 4;
/// Flags of a request.
const HAS_IDS: u8 = 1;
const LEAVES: u8 = 2;

/// Of whom a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The user.
    pub uid: u32,
    /// The only group.
    pub gid: u32,
}

/// What becomes of what a program has started and not waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remains {
    /// It is killed, sessions of its own or not, before the program's end is told.
    Killed,
    /// It lives on if the program ends by itself: what a program starts may be what it is for.
    Left,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this exit code.
    Exit(u8),
    /// By this signal, which was not the helper's.
    Signal(u8),
    /// By the helper, at its timeout.
    TimedOut,
    /// It never ran: fork(2), setuid(2), execve(2) failed.
    NotStarted(Errno),
    /// Nobody knows: the helper's worker died, or does not answer.
    Lost,
}

/// What the daemon asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// A program is to be run.
    Run(Run<'a>),
    /// A job is of no interest any more: its program is killed, and its end is not told.
    Cancel,
}

/// A program to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    /// How long it may live.
    pub timeout: Duration,
    /// None: of whom vipd runs.
    pub ids: Option<Ids>,
    /// What becomes of its children.
    pub remains: Remains,
    /// Number of arguments; the first is the path.
    arguments: u8,
    /// Arguments and environment.
    words: &'a [u8],
}

/// Which job of which worker a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Counts the workers: a job of an earlier one is lost, never run by the next.
    pub generation: u32,
    /// The daemon's number for the job.
    pub job: u32,
}

/// What the helper has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A job has ended.
    Ended(End),
    /// The worker has died in this way; the generation is that of the next.
    Restarted(End),
}

impl<'a> Request<'a> {
    /// Reads a message. None if it is none.
    pub fn parse(message: &'a [u8]) -> Option<(About, Self)> {
        let (about, rest) = About::parse(message)?;
        let request = match *message.first()? {
            RUN => Self::Run(Run::parse(rest)?),
            CANCEL if rest.is_empty() => Self::Cancel,
            _ => return None,
        };
        Some((about, request))
    }
}

impl About {
    fn parse(message: &[u8]) -> Option<(Self, &[u8])> {
        let (generation, rest) = number(message.get(1..)?)?;
        let (job, rest) = number(rest)?;
        Some((Self { generation, job }, rest))
    }

    fn head(self, kind: u8) -> [u8; 9] {
        let mut head = [kind; 9];
        head[1..5].copy_from_slice(&self.generation.to_le_bytes());
        head[5..].copy_from_slice(&self.job.to_le_bytes());
        head
    }

    /// The message that cancels a job.
    pub fn cancel(self) -> [u8; 9] {
        self.head(CANCEL)
    }
}

impl<'a> Run<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (flags, rest) = bytes.split_first()?;
        let (millis, rest) = number(rest)?;
        let (uid, rest) = number(rest)?;
        let (gid, rest) = number(rest)?;
        let (arguments, words) = rest.split_first()?;
        let run = Self {
            timeout: Duration::from_millis(millis.into()),
            ids: (flags & HAS_IDS != 0).then_some(Ids { uid, gid }),
            remains: match flags & LEAVES {
                0 => Remains::Killed,
                _ => Remains::Left,
            },
            arguments: *arguments,
            words,
        };
        let count = run.all().count();
        let whole = words.last() == Some(&0) && count <= limits::HELPER_WORDS;
        (whole && (1..=count).contains(&usize::from(*arguments))).then_some(run)
    }

    fn all(&self) -> impl Iterator<Item = &'a CStr> {
        let mut rest = self.words;
        core::iter::from_fn(move || {
            let word = CStr::from_bytes_until_nul(rest).ok()?;
            rest = &rest[word.count_bytes() + 1..];
            Some(word)
        })
    }

    /// The path and its arguments, which are not empty; and what its environment has beside `PATH`.
    pub fn words(&self) -> (Vec<&'a CStr>, Vec<&'a CStr>) {
        let (mut arguments, mut environment) = (Vec::new(), Vec::new());
        for (place, word) in self.all().enumerate() {
            match place < usize::from(self.arguments) {
                true => arguments.push(word),
                false => environment.push(word),
            }
        }
        (arguments, environment)
    }
}

/// The bytes of a request, written word by word.
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    length: usize,
    words: usize,
}

impl<'b> Writer<'b> {
    /// Begins a request; `buffer` has room for [`limits::HELPER_MESSAGE`] bytes.
    pub fn new(
        buffer: &'b mut [u8],
        about: About,
        timeout: Duration,
        ids: Option<Ids>,
        remains: Remains,
    ) -> Self {
        let mut flags = 0;
        if ids.is_some() {
            flags |= HAS_IDS;
        }
        if remains == Remains::Left {
            flags |= LEAVES;
        }
        let Ids { uid, gid } = ids.unwrap_or(Ids { uid: 0, gid: 0 });
        let millis = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        let mut writer = Self {
            buffer,
            length: 0,
            words: 0,
        };
        writer.put(&about.head(RUN));
        writer.put(&[flags]);
        for number in [millis, uid, gid] {
            writer.put(&number.to_le_bytes());
        }
        writer.put(&[0]);
        writer
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(room) = self.buffer.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
        }
        self.length = end;
    }

    /// The next argument, made of these parts; before any variable.
    pub fn argument(&mut self, parts: &[&str]) {
        self.variable(parts);
        if let Some(count) = self.buffer.get_mut(HEAD_LEN - 1) {
            *count = count.saturating_add(1);
        }
    }

    /// The next variable of the environment, `NAME=value`, made of these parts.
    pub fn variable(&mut self, parts: &[&str]) {
        parts.iter().for_each(|part| self.put(part.as_bytes()));
        self.put(&[0]);
        self.words += 1;
    }

    /// The message; none if it is too long or has too many words.
    pub fn finish(self) -> Option<&'b [u8]> {
        let message = self.buffer.get(..self.length)?;
        (self.words <= limits::HELPER_WORDS).then_some(message)
    }
}

impl Reply {
    /// Reads a message. None if it is none.
    pub fn parse(message: &[u8]) -> Option<(About, Self)> {
        let (about, rest) = About::parse(message)?;
        let (how, rest) = rest.split_first()?;
        let (value, rest) = number(rest)?;
        let end = match how {
            0 => End::Exit(value as u8),
            1 => End::Signal(value as u8),
            2 => End::TimedOut,
            3 => End::NotStarted(Errno::from_raw(i32::try_from(value).ok()?)),
            4 => End::Lost,
            _ => return None,
        };
        match *message.first()? {
            _ if !rest.is_empty() => None,
            ENDED => Some((about, Self::Ended(end))),
            RESTARTED => Some((about, Self::Restarted(end))),
            _ => None,
        }
    }

    /// The bytes of the message.
    pub fn emit(self, about: About) -> [u8; REPLY_LEN] {
        let (kind, end) = match self {
            Self::Ended(end) => (ENDED, end),
            Self::Restarted(end) => (RESTARTED, end),
        };
        let (how, value) = match end {
            End::Exit(code) => (0, code.into()),
            End::Signal(number) => (1, number.into()),
            End::TimedOut => (2, 0),
            End::NotStarted(errno) => (3, (errno as i32).unsigned_abs()),
            End::Lost => (4, 0),
        };
        let mut message = [how; REPLY_LEN];
        message[..9].copy_from_slice(&about.head(kind));
        message[10..].copy_from_slice(&u32::to_le_bytes(value));
        message
    }
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), rest))
}

/// Behind "it": `ended with exit code 3`, `was ended by SIGKILL`.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exit(code) => write!(f, "ended with exit code {code}"),
            Self::Signal(number) => match Signal::try_from(i32::from(number)) {
                Ok(signal) => write!(f, "was ended by {signal}"),
                Err(_) => write!(f, "was ended by signal {number}"),
            },
            Self::TimedOut => f.write_str("ran into its timeout and was killed"),
            Self::NotStarted(errno) => write!(f, "cannot be started: {}", Cause(errno)),
            Self::Lost => f.write_str("is lost: nobody knows how it ended"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: About = About {
        generation: 7,
        job: 0x0102_0304,
    };

    fn words(run: &Run<'_>) -> (Vec<String>, Vec<String>) {
        let texts = |word: &CStr| word.to_string_lossy().into_owned();
        let (arguments, environment) = run.words();
        (
            arguments.into_iter().map(texts).collect(),
            environment.into_iter().map(texts).collect(),
        )
    }

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let mut buffer = [0xff; limits::HELPER_MESSAGE];
        let ids = Some(Ids { uid: 5, gid: 6 });
        let timeout = Duration::from_millis(70_000);
        let mut writer = Writer::new(&mut buffer, ABOUT, timeout, ids, Remains::Left);
        writer.argument(&["/bin/", "true"]);
        writer.argument(&[]);
        writer.variable(&["A", "=", "b"]);
        let message = writer.finish().expect("it fits");
        let Some((ABOUT, Request::Run(run))) = Request::parse(message) else {
            panic!("{message:?}");
        };
        assert_eq!((run.timeout, run.ids), (timeout, ids));
        assert_eq!(run.remains, Remains::Left);
        let (arguments, environment) = words(&run);
        assert_eq!(arguments, ["/bin/true", ""]);
        assert_eq!(environment, ["A=b"]);
        for end in 0..message.len() {
            let cut = Request::parse(&message[..end]);
            assert!(cut.is_none() || message[end - 1] == 0, "cut at {end}");
        }
        let cancel = Request::parse(&ABOUT.cancel()).map(|(about, _)| about);
        assert_eq!(cancel, Some(ABOUT));
    }

    #[test]
    fn what_is_too_long_is_not_sent() {
        let write = |words: usize, length: usize| {
            let mut buffer = [0; limits::HELPER_MESSAGE];
            let timeout = Duration::from_secs(1);
            let mut writer = Writer::new(&mut buffer, ABOUT, timeout, None, Remains::Killed);
            let word = "x".repeat(length);
            (0..words).for_each(|_| writer.argument(&[&word]));
            let message = writer.finish();
            message.map(|m| Request::parse(m).is_some())
        };
        assert_eq!(write(limits::HELPER_WORDS, 3), Some(true));
        assert_eq!(write(limits::HELPER_WORDS + 1, 3), None);
        assert_eq!(write(300, 3), None);
        let room = limits::HELPER_MESSAGE - HEAD_LEN - 1;
        assert_eq!(write(1, room), Some(true));
        assert_eq!(write(1, room + 1), None);
        assert_eq!(write(0, 0), Some(false), "no program");
    }

    #[test]
    fn replies_are_read_as_they_were_written() {
        for end in [
            End::Exit(3),
            End::Signal(9),
            End::TimedOut,
            End::NotStarted(Errno::ENOENT),
            End::Lost,
        ] {
            for reply in [Reply::Ended(end), Reply::Restarted(end)] {
                let message = reply.emit(ABOUT);
                assert_eq!(Reply::parse(&message), Some((ABOUT, reply)));
                assert_eq!(Reply::parse(&message[1..]), None);
                assert!(Request::parse(&message).is_none());
            }
        }
        assert_eq!(End::Signal(9).to_string(), "was ended by SIGKILL");
        assert_eq!(End::Signal(40).to_string(), "was ended by signal 40");
    }
}
