//! Requests: one line, any bytes may arrive. And the refusals that answer wrong ones.

use core::fmt::{self, Write};

use super::PROTOCOL;
use crate::limits;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// `status [NAME]`, `show [NAME]`: of all instances, or of one.
    Status(Form, Option<String>),
    /// `reload`: read the configuration again.
    Reload,
}

/// How a status is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `status`: JSON, for programs.
    Json,
    /// `show`: lines, for people.
    Text,
}

/// The kinds of refusal: the stable word in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The user is neither root nor the daemon's own.
    Denied,
    /// Too many clients at once.
    Busy,
    /// The line does not end within [`limits::CONTROL_REQUEST`] bytes.
    TooLong,
    /// Not a line of this protocol.
    Malformed,
    /// Another version of this protocol.
    Version,
    /// A command that this daemon does not know.
    Command,
    /// No instance has this name.
    Instance,
    /// The new configuration is wrong and was not taken.
    Config,
    /// The daemon cannot do it.
    Failed,
}

impl Code {
    /// The word in the answer.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Busy => "busy",
            Self::TooLong => "too-long",
            Self::Malformed => "malformed",
            Self::Version => "version",
            Self::Command => "command",
            Self::Instance => "instance",
            Self::Config => "config",
            Self::Failed => "failed",
        }
    }
}

/// Why a request is not done: one line or more for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What kind.
    pub code: Code,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl Refusal {
    /// A refusal with this message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// The user must not ask.
    pub fn denied(uid: u32) -> Self {
        Self::new(
            Code::Denied,
            format!("user {uid} may not ask: run it as root or as the user that vipd runs as"),
        )
    }

    /// No place for another client.
    pub fn busy() -> Self {
        Self::new(
            Code::Busy,
            format!(
                "{} clients are being served already: try again in {}",
                limits::CONTROL_CLIENTS,
                limits::CONTROL_PATIENCE
            ),
        )
    }

    /// The request does not end.
    pub fn too_long() -> Self {
        Self::new(
            Code::TooLong,
            format!(
                "a request is one line of at most {} bytes",
                limits::CONTROL_REQUEST
            ),
        )
    }

    /// Not a request at all.
    pub fn malformed() -> Self {
        Self::new(
            Code::Malformed,
            format!(
                "a request is a line `{PROTOCOL} COMMAND`: `status`, `show`, each with or without a NAME, or `reload`"
            ),
        )
    }
}

/// Reads a request, without its end of line.
///
/// # Errors
/// The refusal that answers it.
pub fn parse(line: &[u8]) -> Result<Request, Refusal> {
    let line = core::str::from_utf8(line).map_err(|_| Refusal::malformed())?;
    let line = line.strip_suffix('\r').unwrap_or(line);
    let (protocol, rest) = line.split_once(' ').ok_or_else(Refusal::malformed)?;
    if protocol != PROTOCOL {
        return Err(match protocol.strip_prefix("vipd/") {
            Some(_) => Refusal::new(
                Code::Version,
                format!(
                    "the daemon is version {} and speaks {PROTOCOL}, not {}: use the vipd of that version",
                    env!("CARGO_PKG_VERSION"),
                    Shown(protocol)
                ),
            ),
            None => Refusal::malformed(),
        });
    }
    match rest.split_once(' ').unwrap_or((rest, "")) {
        ("status", name) => Ok(Request::Status(Form::Json, some(name))),
        ("show", name) => Ok(Request::Status(Form::Text, some(name))),
        ("reload", "") => Ok(Request::Reload),
        (command, _) => Err(Refusal::new(
            Code::Command,
            format!(
                "the daemon does not know the command `{}`: there are `status`, `show`, each with or without a NAME, and `reload`",
                Shown(rest_of(command, rest))
            ),
        )),
    }
}

fn some(name: &str) -> Option<String> {
    (!name.is_empty()).then(|| name.to_owned())
}

/// The whole rest where the command itself is known but for its argument.
fn rest_of<'a>(command: &'a str, rest: &'a str) -> &'a str {
    if command == "reload" { rest } else { command }
}

/// Words from outside in a message: no control characters, not too many.
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 64;
        let mut characters = self.0.chars();
        for character in characters.by_ref().take(MOST) {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        match characters.next() {
            Some(_) => f.write_str("…"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(line: &str) -> Option<Code> {
        parse(line.as_bytes()).err().map(|refusal| refusal.code)
    }

    #[test]
    fn requests_are_read() {
        assert_eq!(
            parse(b"vipd/1 status"),
            Ok(Request::Status(Form::Json, None))
        );
        assert_eq!(
            parse(b"vipd/1 status\r"),
            Ok(Request::Status(Form::Json, None))
        );
        assert_eq!(
            parse(b"vipd/1 show VI 1"),
            Ok(Request::Status(Form::Text, Some("VI 1".to_owned()))),
            "a name may have spaces"
        );
        assert_eq!(parse(b"vipd/1 reload"), Ok(Request::Reload));
    }

    #[test]
    fn each_mistake_has_its_code() {
        assert_eq!(code(""), Some(Code::Malformed));
        assert_eq!(code("status"), Some(Code::Malformed));
        assert_eq!(code("GET / HTTP/1.1"), Some(Code::Malformed));
        assert_eq!(code("vipd/2 status"), Some(Code::Version));
        assert_eq!(code("vipd/1 "), Some(Code::Command));
        assert_eq!(code("vipd/1 statu"), Some(Code::Command));
        assert_eq!(code("vipd/1 reload now"), Some(Code::Command));
        assert_eq!(parse(b"vipd/1 \xff"), Err(Refusal::malformed()));
    }

    #[test]
    fn words_from_outside_are_tamed() {
        let refusal = parse(b"vipd/1 \x1b[2Jx").expect_err("no command");
        assert!(refusal.message.contains("`\\u{1b}[2Jx`"), "{refusal:?}");
        assert_eq!(Shown(&"ä".repeat(99)).to_string().chars().count(), 65);
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            match parse(&line) {
                Ok(_) => prop_assert!(line.starts_with(b"vipd/1 ")),
                Err(refusal) => prop_assert!(
                    refusal.message.len() < 600 && !refusal.message.contains(|c: char| c.is_control())
                ),
            }
        }

        #[test]
        fn any_argument_is_answered(rest in "\\PC{0,80}") {
            let request = parse(format!("vipd/1 {rest}").as_bytes());
            let known = ["reload", "status", "show"].contains(&&*rest)
                || rest.starts_with("status ")
                || rest.starts_with("show ");
            prop_assert_eq!(request.is_ok(), known);
        }
    }
}
