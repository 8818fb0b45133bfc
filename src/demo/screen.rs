//! What the onlooker sees: lines with the time in front, and on a terminal some colour.

use std::io::{self, IsTerminal, Write};

use crate::time::Instant;

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// What we do to the routers.
    Act,
    /// A router becomes Active.
    Good,
    /// A warning, or something that is not as it must be.
    Bad,
    /// Everything else.
    Plain,
}

/// Standard output.
#[derive(Debug)]
pub(super) struct Screen {
    start: Instant,
    colour: bool,
    /// A terminal that can write a line again: the last line shows the pings.
    live: bool,
    /// Nobody reads any more.
    closed: bool,
}

impl Screen {
    /// Colour and a live line only for terminals; no colour if NO_COLOR is set (no-color.org).
    pub(super) fn new(start: Instant) -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_none_or(|term| term == "dumb");
        let live = io::stdout().is_terminal() && !dumb;
        Self {
            start,
            colour: live && set("NO_COLOR").is_none(),
            live,
            closed: false,
        }
    }

    /// True once nobody reads what is written.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Writes an entry of the timeline: `seconds  who  text`.
    pub(super) fn entry(&mut self, now: Instant, who: &str, tone: Tone, text: &str) {
        let millis = now.since(self.start).as_millis();
        let (secs, millis) = (millis / 1000, millis % 1000);
        let (on, off) = self.colour(tone);
        self.line(&format!("{secs:3}.{millis:03}  {who:8}  {on}{text}{off}"));
    }

    /// Writes more of the entry above.
    pub(super) fn more(&mut self, who: &str, text: &str) {
        self.line(&format!("         {who:8}  {text}"));
    }

    /// Writes a line as it is.
    pub(super) fn line(&mut self, text: &str) {
        let erase = if self.live { "\r\x1b[K" } else { "" };
        self.write(&format!("{erase}{}\n", text.trim_end()));
    }

    /// On a terminal, replaces the last line.
    pub(super) fn status(&mut self, now: Instant, text: &str) {
        if self.live {
            let tenths = now.since(self.start).as_millis() / 100;
            let (secs, tenths) = (tenths / 10, tenths % 10);
            self.write(&format!("\r\x1b[K{secs:3}.{tenths}    {text}"));
        }
    }

    fn write(&mut self, text: &str) {
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        self.closed |= written.is_err();
    }

    fn colour(&self, tone: Tone) -> (&'static str, &'static str) {
        if !self.colour {
            return ("", "");
        }
        match tone {
            Tone::Act => ("\x1b[1m", "\x1b[0m"),
            Tone::Good => ("\x1b[32m", "\x1b[0m"),
            Tone::Bad => ("\x1b[31m", "\x1b[0m"),
            Tone::Plain => ("", ""),
        }
    }
}
