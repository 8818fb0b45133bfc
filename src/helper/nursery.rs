//! The process that must not die: it has nothing to do but to replace the worker.

use std::os::fd::{AsFd, AsRawFd};
use std::thread::sleep;

use crate::limits;
use crate::sys::child;
use crate::sys::clock;
use crate::sys::program::{self, Ended};
use crate::sys::seqpacket::Seqpacket;
use crate::sys::signal::{self, Signal};

use super::message::{About, End, Reply};
use super::worker;

/// What is sent to all processes of a group or a service is for the daemon, which tells us.
const DEAF_TO: &[Signal] = &[Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];

/// Runs workers, one after the other, until the daemon is gone.
pub(super) fn run(socket: &Seqpacket) -> i32 {
    program::close_all_but(socket.as_fd().as_raw_fd());
    let _ = signal::block(DEAF_TO);
    // The keepers of a worker that died, and what programs have left.
    let _ = program::adopt_orphans();
    let mut generation = 0_u32;
    let mut gap = limits::HELPER_GAP_MIN;
    loop {
        let born = clock::now();
        let work = || worker::run(socket, generation);
        let end = child::fork(work).map_or_else(End::NotStarted, wait_for);
        if end == End::Exit(0) {
            return 0;
        }
        generation = generation.wrapping_add(1);
        let about = About { generation, job: 0 };
        let news = Reply::Restarted(end).emit(about);
        if socket.send_and_wait(&news).is_err() {
            return 0;
        }
        if clock::now().since(born) > limits::HELPER_GAP_MAX {
            gap = limits::HELPER_GAP_MIN;
        }
        sleep(core::time::Duration::from_micros(gap.as_micros()));
        gap = gap.times(2).min(limits::HELPER_GAP_MAX);
    }
}

/// Waits for the end of a worker, and for that of orphans meanwhile.
fn wait_for(worker: i32) -> End {
    loop {
        match program::wait_for_any(true) {
            Ok(Some((pid, ended))) if pid == worker => return ended.into(),
            Ok(_) => {}
            Err(errno) => return End::NotStarted(errno),
        }
    }
}

impl From<Ended> for End {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Code(code) => Self::Exit(code),
            Ended::Signal(number) => Self::Signal(number),
        }
    }
}
