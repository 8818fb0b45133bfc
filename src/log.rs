//! What is said in the log. Here and not at each place the level is looked at, and a record made for the
//! crate `log`: that of its own macros names module, file and line as well, which our lines never show.

use core::fmt;

pub(crate) use ::log::Level;

/// Writes a line to the log, if it is to have lines of this level.
#[inline(never)]
pub(crate) fn say(level: Level, text: fmt::Arguments<'_>) {
    ::log::log!(level, "{text}");
}

macro_rules! error {
    ($($text:tt)+) => { $crate::log::say(::log::Level::Error, format_args!($($text)+)) };
}
macro_rules! warning {
    ($($text:tt)+) => { $crate::log::say(::log::Level::Warn, format_args!($($text)+)) };
}
macro_rules! info {
    ($($text:tt)+) => { $crate::log::say(::log::Level::Info, format_args!($($text)+)) };
}
macro_rules! debug {
    ($($text:tt)+) => { $crate::log::say(::log::Level::Debug, format_args!($($text)+)) };
}
// `warn` is an attribute, too.
pub(crate) use {debug, error, info, warning as warn};
