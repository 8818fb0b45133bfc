//! One client: its request as it comes in, its answer as it goes out.

use core::fmt;
use core::ops::Range;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;

use super::PROTOCOL;
use super::request::{Form, Refusal, Request, parse};
use crate::file::failed_as;
use crate::limits;
use crate::sys::poll::Interest;
use crate::time::Instant;

/// A connection with one request and one answer.
#[derive(Debug)]
pub(super) struct Client {
    stream: UnixStream,
    /// It must be done by then.
    pub(super) deadline: Instant,
    /// Its place in the poll set.
    pub(super) place: usize,
    request: heapless::Vec<u8, { limits::CONTROL_REQUEST }>,
    answer: Option<Answer>,
}

/// What is still to be sent.
#[derive(Debug, Default)]
struct Answer {
    text: Vec<u8>,
    /// Bytes of `text` that the socket has taken.
    sent: usize,
    /// Instances that are rendered when `text` is out.
    rest: Range<usize>,
    /// The list of a status is open, and only instances in this form may follow.
    list: Option<Form>,
}

/// What comes after a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Wait for the socket.
    Wait,
    /// A request is complete.
    Asked(Request),
    /// The answer goes on with this instance.
    Instance(Form, usize),
    /// The connection is over.
    Done,
}

impl Client {
    /// A connection that is over at `deadline` at the latest.
    pub(super) fn new(stream: UnixStream, deadline: Instant) -> Self {
        Self {
            stream,
            deadline,
            place: usize::MAX,
            request: heapless::Vec::new(),
            answer: None,
        }
    }

    /// What to wait for.
    pub(super) fn interest(&self) -> Interest {
        match self.answer {
            None => Interest::Read,
            Some(_) => Interest::Write,
        }
    }

    /// The socket is ready: goes on with what it is at.
    pub(super) fn step(&mut self) -> Step {
        match &self.answer {
            None => self.read(),
            Some(_) => self.write(),
        }
    }

    fn read(&mut self) -> Step {
        let mut buffer = [0; limits::CONTROL_REQUEST];
        let room = limits::CONTROL_REQUEST - self.request.len();
        let count = match self.stream.read(&mut buffer[..room]) {
            Ok(count) => count,
            Err(error) if again(&error) => return Step::Wait,
            Err(_) => return Step::Done,
        };
        // There is room for what was read; what would not fit was not asked for.
        let _ = self.request.extend_from_slice(&buffer[..count]);
        let line = self.request.iter().position(|byte| *byte == b'\n');
        let request = match line {
            Some(end) => parse(&self.request[..end]),
            None if self.request.is_empty() => return Step::Done,
            None if count == 0 => Err(Refusal::malformed()),
            None if self.request.is_full() => Err(Refusal::too_long()),
            None => return Step::Wait,
        };
        match request {
            Ok(request) => Step::Asked(request),
            Err(refusal) => self.refuse(&refusal),
        }
    }

    /// Answers with what is wrong.
    pub(super) fn refuse(&mut self, refusal: &Refusal) -> Step {
        let Refusal { code, message } = refusal;
        let text = format!(
            "{PROTOCOL} error {}\n{message}\n{PROTOCOL} end\n",
            code.name()
        );
        self.send(text.into_bytes())
    }

    /// Answers with lines of text.
    pub(super) fn answer(&mut self, lines: &str) -> Step {
        let lines = lines.trim_end_matches('\n');
        self.send(format!("{PROTOCOL} ok\n{lines}\n{PROTOCOL} end\n").into_bytes())
    }

    fn send(&mut self, text: Vec<u8>) -> Step {
        self.answer = Some(Answer {
            text,
            ..Answer::default()
        });
        self.write()
    }

    /// Begins a status: `head` writes what stands before the `instances`; a JSON object that ends
    /// with an empty list, which then gets them.
    pub(super) fn begin(
        &mut self,
        form: Form,
        instances: Range<usize>,
        head: impl FnOnce(&mut Vec<u8>) -> fmt::Result,
    ) -> Result<Step, fmt::Error> {
        let mut text = format!("{PROTOCOL} ok\n").into_bytes();
        head(&mut text)?;
        if form == Form::Json {
            debug_assert!(text.ends_with(b"[]}"), "the list of instances comes last");
            text.truncate(text.len().saturating_sub(2));
        }
        self.answer = Some(Answer {
            text,
            sent: 0,
            rest: instances,
            list: Some(form),
        });
        Ok(self.write())
    }

    /// Goes on with a status: `render` writes the instance that [`Step::Instance`] named.
    pub(super) fn instance(
        &mut self,
        render: impl FnOnce(&mut Vec<u8>) -> fmt::Result,
    ) -> Result<Step, fmt::Error> {
        if let Some(answer) = &mut self.answer {
            answer.rest.next();
            render(&mut answer.text)?;
            if answer.list == Some(Form::Json) && !answer.rest.is_empty() {
                answer.text.push(b',');
            }
        }
        Ok(self.write())
    }

    /// True while an answer is on its way to which instances may still be added.
    pub(super) fn is_in_list(&self) -> bool {
        self.answer
            .as_ref()
            .is_some_and(|answer| answer.list.is_some())
    }

    /// Bytes that its answer holds.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.answer.as_ref().map_or(0, |a| a.text.capacity())
    }

    fn write(&mut self) -> Step {
        let Some(answer) = &mut self.answer else {
            return Step::Wait;
        };
        loop {
            while answer.sent < answer.text.len() {
                match self.stream.write(&answer.text[answer.sent..]) {
                    Ok(count) if count > 0 => answer.sent += count,
                    Err(error) if again(&error) => return Step::Wait,
                    _ => return Step::Done,
                }
            }
            answer.text.clear();
            answer.sent = 0;
            if let (Some(form), false) = (answer.list, answer.rest.is_empty()) {
                return Step::Instance(form, answer.rest.start);
            }
            match answer.list.take() {
                Some(Form::Json) => answer.text.extend_from_slice(b"]}\n"),
                Some(Form::Text) => {}
                None => return Step::Done,
            }
            answer.text.extend_from_slice(PROTOCOL.as_bytes());
            answer.text.extend_from_slice(b" end\n");
        }
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn again(error: &std::io::Error) -> bool {
    failed_as(error, &[Errno::EAGAIN, Errno::EINTR])
}
