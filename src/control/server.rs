//! All clients: who is let in, whose turn it is, who is dropped.

use core::fmt;
use core::ops::Range;

use super::client::{Client, Step};
use super::request::{Form, Refusal, Request};
use super::socket_path;
use crate::limits;
use crate::log;
use crate::sys::error::Error;
use crate::sys::poll::{Interest, Poll};
use crate::sys::unix::{self, Listener};
use crate::time::Instant;

/// The control socket of a daemon.
#[derive(Debug)]
pub struct Control {
    listener: Listener,
    /// Its place in the poll set.
    place: usize,
    /// At most [`limits::CONTROL_CLIENTS`].
    clients: Vec<Client>,
    /// The client that is looked at first.
    turn: usize,
    /// Nobody is let in before.
    accept_at: Instant,
}

/// A question that only the daemon can answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who: to be named in the answer, which has to be given before the next [`Control::serve`].
    pub client: usize,
    /// What.
    pub question: Question,
}

/// What the daemon is asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Question {
    /// A request: [`Control::begin`], [`Control::answer`] or [`Control::refuse`] answer it.
    Request(Request),
    /// The next instance of a status: [`Control::instance`].
    Instance(Form, usize),
}

impl Control {
    /// Listens in the runtime directory, which must be locked.
    ///
    /// # Errors
    /// As [`Listener::bind`].
    pub fn open(runtime_dir: &str) -> Result<Self, Error> {
        Ok(Self {
            listener: Listener::bind(&socket_path(runtime_dir))?,
            place: usize::MAX,
            clients: Vec::with_capacity(limits::CONTROL_CLIENTS),
            turn: 0,
            accept_at: Instant::ZERO,
        })
    }

    /// How many descriptors there may be in the poll set.
    pub const fn capacity() -> usize {
        limits::CONTROL_CLIENTS + 1
    }

    /// Adds the clients and the listener to a poll set.
    pub fn add_to(&mut self, poll: &mut Poll) {
        for client in &mut self.clients {
            client.place = poll.add(client, client.interest());
        }
        self.place = match self.accept_at {
            Instant::ZERO => poll.add(&self.listener, Interest::Read),
            _ => usize::MAX,
        };
    }

    /// When [`Control::serve`] has something to do on its own account.
    pub fn poll_at(&self) -> Instant {
        let pause = match self.accept_at {
            Instant::ZERO => Instant::NEVER,
            at => at,
        };
        let deadlines = self.clients.iter().map(|client| client.deadline);
        deadlines.fold(pause, Instant::min)
    }

    /// True if [`Control::serve`] has something to do; most of the time nobody is connected.
    pub fn has_work(&self, poll: &Poll, now: Instant) -> bool {
        let connected = !self.clients.is_empty();
        connected || poll.readiness(self.place).any() || now >= self.poll_at()
    }

    /// One piece of work after a wait: drops who is late, lets one in, goes on with one. While all
    /// places are taken nobody is let in as long as there is work to do, which may free one.
    pub fn serve(&mut self, poll: &Poll, now: Instant) -> Option<Asked> {
        self.clients.retain(|client| client.deadline > now);
        if now >= self.accept_at {
            self.accept_at = Instant::ZERO;
        }
        let ready = |client: &Client| poll.readiness(client.place).any();
        let may_free_one = self.is_full() && self.clients.iter().any(ready);
        if poll.readiness(self.place).any() && !may_free_one {
            self.accept(now);
        }
        self.go_on(poll)
    }

    fn is_full(&self) -> bool {
        self.clients.len() == limits::CONTROL_CLIENTS
    }

    fn accept(&mut self, now: Instant) {
        let stream = match self.listener.accept() {
            Ok(Some(stream)) => stream,
            Ok(None) => return,
            Err(error) => {
                log::warn!(
                    "{error}; nobody is let in for {}, all else goes on",
                    limits::CONTROL_PAUSE
                );
                self.accept_at = now + limits::CONTROL_PAUSE;
                return;
            }
        };
        let peer = unix::peer_uid(&stream);
        let mut client = Client::new(stream, now + limits::CONTROL_PATIENCE);
        match peer {
            Ok(uid) if may_ask(uid) && self.is_full() => {
                client.refuse(&Refusal::busy());
            }
            Ok(uid) if may_ask(uid) => self.clients.push(client),
            Ok(uid) => {
                client.refuse(&Refusal::denied(uid));
            }
            Err(error) => log::warn!("{error}; the client is sent away"),
        }
    }

    fn go_on(&mut self, poll: &Poll) -> Option<Asked> {
        let count = self.clients.len();
        let ready = |index: &usize| poll.readiness(self.clients[*index].place).any();
        let client = (self.turn..count)
            .chain(0..self.turn.min(count))
            .find(ready)?;
        self.turn = client + 1;
        let question = match self.clients[client].step() {
            Step::Asked(request) => Question::Request(request),
            Step::Instance(form, index) => Question::Instance(form, index),
            step => {
                self.after(client, &step);
                return None;
            }
        };
        Some(Asked { client, question })
    }

    /// Answers `client` with lines of text.
    pub fn answer(&mut self, client: usize, lines: &str) {
        let step = self.clients[client].answer(lines);
        self.after(client, &step);
    }

    /// Answers `client` with what is wrong.
    pub fn refuse(&mut self, client: usize, refusal: &Refusal) {
        let step = self.clients[client].refuse(refusal);
        self.after(client, &step);
    }

    /// Begins to answer `client` with a status: `head` writes what stands before the instances, in
    /// JSON an object that ends with an empty list. [`Question::Instance`] then asks for each of `instances`, at later wakeups.
    pub fn begin(
        &mut self,
        client: usize,
        form: Form,
        instances: Range<usize>,
        head: impl FnOnce(&mut Vec<u8>) -> fmt::Result,
    ) {
        let step = self.clients[client].begin(form, instances, head);
        self.after_rendering(client, step);
    }

    /// Goes on with the status of `client`: `render` writes the instance that was asked for.
    pub fn instance(&mut self, client: usize, render: impl FnOnce(&mut Vec<u8>) -> fmt::Result) {
        let step = self.clients[client].instance(render);
        self.after_rendering(client, step);
    }

    /// To be called when the daemon's instances have changed: cuts off the answers that are on their
    /// way, which would mix old and new. The client asks again.
    pub fn cut_off(&mut self) {
        for client in self.clients.iter_mut().filter(|c| c.is_in_list()) {
            client.deadline = Instant::ZERO;
        }
    }

    fn after_rendering(&mut self, client: usize, step: Result<Step, fmt::Error>) {
        let step = step.unwrap_or_else(|error| {
            log::error!("a status could not be rendered, so it is cut off: {error}");
            Step::Done
        });
        self.after(client, &step);
    }

    /// What is left to do comes with the next wakeup.
    fn after(&mut self, client: usize, step: &Step) {
        if *step == Step::Done {
            self.clients.swap_remove(client);
        }
    }
}

fn may_ask(uid: u32) -> bool {
    uid == 0 || uid == nix::unistd::geteuid().as_raw()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sys::clock;
    use crate::time::Duration;
    use proptest::prelude::*;
    use std::io::{ErrorKind, Read, Write};
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;

    /// The socket with a daemon of `instances` instances of `size` bytes behind it.
    struct Lab {
        dir: PathBuf,
        control: Control,
        poll: Poll,
        now: Instant,
        instances: usize,
        size: usize,
    }

    impl Lab {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("vipd-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&dir).unwrap();
            Self {
                control: Control::open(dir.to_str().unwrap()).unwrap(),
                dir,
                poll: Poll::with_capacity(Control::capacity()),
                now: clock::now(),
                instances: 3,
                size: 10,
            }
        }

        fn connect(&self) -> UnixStream {
            unix::connect(&socket_path(self.dir.to_str().unwrap())).unwrap()
        }

        /// Wakes up as long as something is ready.
        fn run(&mut self) {
            loop {
                self.poll.clear();
                self.control.add_to(&mut self.poll);
                if self.poll.wait(Some(Duration::ZERO)).unwrap() == 0 {
                    return;
                }
                if let Some(asked) = self.control.serve(&self.poll, self.now) {
                    self.do_it(asked);
                }
            }
        }

        fn do_it(&mut self, Asked { client, question }: Asked) {
            let render = |text: &mut Vec<u8>, bytes: &[u8]| {
                text.extend_from_slice(bytes);
                Ok::<(), core::fmt::Error>(())
            };
            match question {
                Question::Request(Request::Status(form, _)) => {
                    self.control.begin(client, form, 0..self.instances, |text| {
                        render(text, b"{\"instances\":[]}")
                    });
                }
                Question::Request(Request::Reload) => self.control.answer(client, "done\n"),
                Question::Instance(_, index) => {
                    let body = vec![b'0' + index as u8; self.size];
                    self.control.instance(client, |text| render(text, &body));
                }
            }
        }
    }

    impl Drop for Lab {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }

    /// What has arrived, and whether the connection is over.
    fn arrived(stream: &mut UnixStream) -> (String, bool) {
        let mut bytes = Vec::new();
        let over = match stream.read_to_end(&mut bytes) {
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        };
        (String::from_utf8(bytes).unwrap(), over)
    }

    #[test]
    fn a_status_comes_instance_by_instance_and_whole() {
        let mut lab = Lab::new("whole");
        let mut client = lab.connect();
        client.write_all(b"vipd/1 sta").unwrap();
        lab.run();
        assert_eq!(arrived(&mut client), (String::new(), false));
        client.write_all(b"tus\n").unwrap();
        lab.run();
        let (answer, over) = arrived(&mut client);
        assert!(over);
        assert_eq!(
            answer,
            "vipd/1 ok\n{\"instances\":[0000000000,1111111111,2222222222]}\nvipd/1 end\n"
        );
        assert!(lab.control.clients.is_empty(), "nothing is kept");
        assert_eq!(lab.control.poll_at(), Instant::NEVER);
    }

    #[test]
    fn text_has_nothing_between_the_instances() {
        let mut lab = Lab::new("text");
        let mut client = lab.connect();
        client.write_all(b"vipd/1 show\n").unwrap();
        lab.run();
        let (answer, _) = arrived(&mut client);
        let body = answer
            .strip_prefix("vipd/1 ok\n{\"instances\":[]}")
            .unwrap();
        assert_eq!(body, "000000000011111111112222222222vipd/1 end\n");
    }

    #[test]
    fn no_instances_are_an_empty_list() {
        let mut lab = Lab::new("empty");
        lab.instances = 0;
        let mut client = lab.connect();
        client.write_all(b"vipd/1 status\n").unwrap();
        lab.run();
        let (answer, _) = arrived(&mut client);
        assert_eq!(answer, "vipd/1 ok\n{\"instances\":[]}\nvipd/1 end\n");
    }

    #[test]
    fn who_does_not_read_holds_one_instance_until_the_deadline() {
        let mut lab = Lab::new("deaf");
        (lab.instances, lab.size) = (9, 300_000);
        let mut deaf = lab.connect();
        deaf.write_all(b"vipd/1 status\n").unwrap();
        lab.run();
        let mut other = lab.connect();
        other.write_all(b"vipd/1 reload\n").unwrap();
        lab.run();
        let answer = "vipd/1 ok\ndone\nvipd/1 end\n".to_owned();
        assert_eq!(arrived(&mut other), (answer, true), "others are served");
        assert_eq!(lab.control.poll_at(), lab.now + limits::CONTROL_PATIENCE);
        assert!(lab.control.clients[0].memory() <= 2 * lab.size, "not 9");

        let (part, over) = arrived(&mut deaf);
        assert!(!over && part.ends_with('0'), "it may still read on");
        lab.now = lab.control.poll_at();
        lab.run();
        let (_, over) = arrived(&mut deaf);
        assert!(over && lab.control.clients.is_empty());
    }

    #[test]
    fn one_too_many_is_told_to_come_again() {
        let mut lab = Lab::new("many");
        let mut clients: Vec<UnixStream> = (0..=limits::CONTROL_CLIENTS)
            .map(|_| {
                let client = lab.connect();
                lab.run();
                client
            })
            .collect();
        let (answer, over) = arrived(clients.last_mut().unwrap());
        assert!(
            over && answer.starts_with("vipd/1 error busy\n8 clients"),
            "{answer}"
        );
        clients.remove(0);
        lab.run();
        let mut next = lab.connect();
        next.write_all(b"vipd/1 reload\n").unwrap();
        lab.run();
        assert!(arrived(&mut next).0.starts_with("vipd/1 ok\n"));
    }

    #[test]
    fn an_answer_of_old_instances_is_cut_off() {
        let mut lab = Lab::new("cut");
        (lab.instances, lab.size) = (9, 300_000);
        let mut client = lab.connect();
        client.write_all(b"vipd/1 status\n").unwrap();
        lab.run();
        lab.control.cut_off();
        assert!(lab.control.poll_at() <= lab.now, "at once");
        lab.control.serve(&lab.poll, lab.now);
        let (answer, over) = arrived(&mut client);
        assert!(over && !answer.ends_with("vipd/1 end\n"));
    }

    #[test]
    fn a_request_without_end_is_refused() {
        let mut lab = Lab::new("long");
        let mut client = lab.connect();
        client
            .write_all(&[b'x'; limits::CONTROL_REQUEST + 9])
            .unwrap();
        lab.run();
        let (answer, over) = arrived(&mut client);
        assert!(
            over && answer.starts_with("vipd/1 error too-long\n"),
            "{answer}"
        );
        let mut client = lab.connect();
        client.write_all(b"vipd/1 status").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        lab.run();
        let (answer, over) = arrived(&mut client);
        assert!(
            over && answer.starts_with("vipd/1 error malformed\n"),
            "{answer}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_in_any_pieces_end_in_an_answer_or_nothing(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..200), 0..6)
        ) {
            let mut lab = Lab::new("any");
            let mut client = lab.connect();
            for piece in &pieces {
                // The daemon may have turned us away already.
                let _ = client.write_all(piece);
                lab.run();
            }
            let _ = client.shutdown(std::net::Shutdown::Write);
            lab.run();
            let (answer, over) = arrived(&mut client);
            prop_assert!(over && lab.control.clients.is_empty());
            prop_assert_eq!(answer.is_empty(), pieces.is_empty());
            prop_assert!(answer.is_empty() || answer.ends_with("\nvipd/1 end\n"));
        }
    }
}
