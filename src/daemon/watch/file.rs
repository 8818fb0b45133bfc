//! Files whose numbers count: read when their folder says that something has happened to them.
//!
//! A folder that cannot be watched (it is not there yet, the kernel has no inotify) is tried again
//! each second, and its files are read then.

use std::io::Read;
use std::rc::Rc;

use nix::fcntl::OFlag;

use crate::config::model::{InitFile, TrackFile};
use crate::file;
use crate::limits;
use crate::log;
use crate::sys::Errno;
use crate::sys::error::Cause;
use crate::sys::inotify::{Change, Inotify, Watch};
use crate::sys::poll::{Interest, Poll};
use crate::time::Instant;
use crate::vrrp::track::Reading;

/// Bytes of a file that are looked at.
const BYTES: usize = 128;

/// All files.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: Vec<File>,
    inotify: Option<Inotify>,
    /// The place of `inotify` in the poll set.
    place: Option<usize>,
    retry_at: Instant,
}

#[derive(Debug)]
struct File {
    file: Rc<TrackFile>,
    watch: Option<Watch>,
    value: i16,
    /// It is to be read.
    stale: bool,
    /// What is wrong with it has been told.
    told: bool,
}

impl Files {
    pub(super) fn adopt(&mut self, files: &[Rc<TrackFile>], now: Instant) {
        if self.files.iter().map(|file| &file.file).eq(files) {
            return;
        }
        let before = core::mem::take(&mut self.files);
        for file in files {
            let known = before.iter().find(|known| known.file == *file);
            if let (None, Some(init)) = (known, file.init) {
                write(file, init);
            }
            self.files.push(File {
                file: Rc::clone(file),
                watch: None,
                value: known.map_or(0, |known| known.value),
                stale: true,
                told: false,
            });
        }
        // None of the watches of before can be mistaken for one of these.
        self.inotify = None;
        self.place = None;
        if !files.is_empty() {
            self.inotify = Inotify::open()
                .inspect_err(|error| log::warn!("{error}; files are read each second instead"))
                .ok();
        }
        self.retry_at = now;
        self.retry(now);
        self.read();
    }

    pub(super) fn reading(&self, name: &str) -> Reading {
        let file = self.files.iter().find(|file| *file.file.name == *name);
        file.map_or(Reading::Unknown, |file| Reading::Value(file.value))
    }

    pub(super) fn add_to(&mut self, poll: &mut Poll) {
        let inotify = self.inotify.as_ref();
        self.place = inotify.map(|inotify| poll.add(inotify, Interest::Read));
    }

    pub(super) fn poll_at(&self) -> Instant {
        self.retry_at
    }

    /// True if a number has changed.
    pub(super) fn tend(&mut self, poll: &Poll, now: Instant) -> bool {
        let ready = self.place.is_some_and(|place| poll.readiness(place).any());
        if !ready && now < self.poll_at() {
            return false;
        }
        if let (true, Some(inotify)) = (ready, &self.inotify) {
            let files = &mut self.files;
            inotify.read(&mut |change| files.iter_mut().for_each(|file| file.note(change)));
            let lost = |file: &File| file.watch.is_none();
            if self.files.iter().any(lost) && self.retry_at == Instant::NEVER {
                self.retry_at = now;
            }
        }
        self.retry(now);
        self.read()
    }

    /// Watches the folders that are not watched yet.
    fn retry(&mut self, now: Instant) {
        if now < self.poll_at() {
            return;
        }
        for file in self.files.iter_mut().filter(|file| file.watch.is_none()) {
            file.stale = true;
            let Some(inotify) = &self.inotify else {
                continue;
            };
            match inotify.watch(file.folder()) {
                Ok(watch) => (file.watch, file.told) = (Some(watch), false),
                Err(errno) => file.not_watched(errno),
            }
        }
        let all = self.files.iter().all(|file| file.watch.is_some());
        self.retry_at = match all {
            true => Instant::NEVER,
            false => now + limits::FILE_RETRY,
        };
    }

    fn read(&mut self) -> bool {
        let mut changed = false;
        for file in &mut self.files {
            changed |= core::mem::take(&mut file.stale) && file.read();
        }
        changed
    }
}

impl File {
    fn folder(&self) -> &str {
        match self.file.path.rsplit_once('/') {
            Some(("", _)) | None => "/",
            Some((folder, _)) => folder,
        }
    }

    fn note(&mut self, change: Change<'_>) {
        let base = self.file.path.rsplit('/').next().unwrap_or_default();
        match change {
            Change::Anything => self.stale = true,
            Change::File(watch, name) if self.watch == Some(watch) => {
                self.stale |= name == base.as_bytes();
            }
            Change::Gone(watch) if self.watch == Some(watch) => {
                self.watch = None;
                self.stale = true;
            }
            Change::File(..) | Change::Gone(_) => {}
        }
    }

    fn not_watched(&mut self, errno: Errno) {
        if !core::mem::replace(&mut self.told, true) {
            log::warn!(
                "file {}: {} cannot be watched: {}; it is read each second instead",
                self.file.name,
                self.folder(),
                Cause(errno)
            );
        }
    }

    /// True if its number has changed.
    fn read(&mut self) -> bool {
        let mut bytes = [0; BYTES];
        // A FIFO would make us wait for its writer.
        let opened = file::open(&self.file.path, OFlag::O_RDONLY | OFlag::O_NONBLOCK, 0);
        let read = opened.map(|mut file| file.read(&mut bytes).unwrap_or(0));
        // What cannot be read is 0, as what is not there.
        let value = number(&bytes[..read.unwrap_or(0)]);
        let before = core::mem::replace(&mut self.value, value);
        if value != before {
            log::debug!("file {}: {before} -> {value}", self.file.name);
        }
        value != before
    }
}

/// `init_file`.
fn write(file: &TrackFile, init: InitFile) {
    let how = match init.overwrite {
        true => OFlag::O_TRUNC,
        false => OFlag::O_EXCL,
    };
    let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_CREAT | how;
    let written = match file::open(&file.path, flags, 0o666) {
        Err(Errno::EEXIST) => return,
        Err(errno) => Err(errno),
        Ok(to) => file::write(to, format!("{}\n", init.value).as_bytes()),
    };
    if let Err(errno) = written {
        let error = file::why(errno);
        log::warn!(
            "file {}: {} cannot be written: {error}; it counts as what is there",
            file.name,
            file.path
        );
    }
}

/// The number at the beginning, as C reads it: octal behind a 0, hexadecimal behind 0x. What is none
/// is 0, what is too big the biggest.
fn number(text: &[u8]) -> i16 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let (base, digits) = match digits {
        [b'0', b'x' | b'X', digits @ ..] => (16, digits),
        [b'0', ..] => (8, digits),
        _ => (10, digits),
    };
    let digits = digits
        .iter()
        .map_while(|byte| char::from(*byte).to_digit(base));
    let number = digits.fold(0_i32, |number, digit| {
        (number * base as i32 + digit as i32).min(i32::from(i16::MAX))
    });
    let number = if negative { -number } else { number };
    number as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_c_reads_them() {
        for (text, value) in [
            ("", 0),
            ("5", 5),
            ("  -7\n", -7),
            ("+12 apples", 12),
            ("0x1f", 31),
            ("010", 8),
            ("08", 0),
            ("x", 0),
            ("-", 0),
            ("-0", 0),
            ("99999999999999999999", i16::MAX),
            ("-99999999999999999999", -i16::MAX),
        ] {
            assert_eq!(number(text.as_bytes()), value, "{text}");
        }
    }
}
