//! Messages on standard error: `level: text`, a line each. procd and systemd stamp the time.

use std::io::{self, Write};

use env_logger::{Builder, Target};
use log::LevelFilter;

use crate::sys::poll::{Interest, Poll};
use crate::time::Duration;

/// Starts logging from `level` upwards.
pub(super) fn start(level: LevelFilter) {
    Builder::new()
        .filter_level(level)
        .format(|line, record| {
            let level = record.level().as_str().to_ascii_lowercase();
            writeln!(line, "{level}: {}", record.args())
        })
        .target(Target::Pipe(Box::new(Patient::new())))
        .init();
}

/// Standard error that never blocks the loop: a line for which a full pipe has no room is lost,
/// and the next one says so.
struct Patient {
    poll: Poll,
    lost: u32,
}

impl Patient {
    fn new() -> Self {
        Self {
            poll: Poll::with_capacity(1),
            lost: 0,
        }
    }

    /// A pipe that is writable has room for a line: PIPE_BUF bytes, 4,096.
    fn has_room(&mut self) -> bool {
        self.poll.clear();
        let place = self.poll.add(&io::stderr(), Interest::Write);
        self.poll.wait(Some(Duration::ZERO)).is_ok() && self.poll.readiness(place).writable()
    }
}

impl Write for Patient {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !self.has_room() {
            self.lost = self.lost.saturating_add(1);
            return Ok(line.len());
        }
        let mut stderr = io::stderr();
        if self.lost > 0 {
            let lost = core::mem::take(&mut self.lost);
            writeln!(
                stderr,
                "warn: {lost} message(s) lost: nobody reads standard error fast enough"
            )?;
        }
        stderr.write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
