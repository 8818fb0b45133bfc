//! Text → validated [`model::Config`]. May use the heap, may not touch the running state.
//!
//! ```text
//!   bytes ─► keepalived (lines, variables, includes), or uci (sections, options)
//!         ─► block (words and braces, file:line:col)
//!         ─► read (each statement looked up in schema, the ONE table) ─► drafts
//!         ─► checks, build (inheritance, defaults, what must hold between words) ─► model::Config
//! ```
//!
//! All errors of all files are reported, sorted by place, each as one line
//! `file:line:col: what is wrong: what to write instead`. Passwords are never printed.
//!
//! A keyword is a row in `schema`: parser, suggestions and CONFIG.md (see `reference`) are fed
//! from it. A keyword that works has a slot in `schema::Draft` and a field in the model.

pub mod block;
mod build;
mod checks;
pub mod error;
mod family;
pub mod files;
mod group;
mod keepalived;
pub mod model;
mod option;
mod peer;
mod probe;
mod program;
mod read;
#[cfg(feature = "reference")]
pub mod reference;
mod route;
pub mod routing;
mod rule;
mod schema;
mod script;
mod strict;
mod track;
pub mod uci;
pub mod uplink;
mod value;
mod vip;
mod vmac;

pub use checks::MAX_INSTANCES;
pub use error::{Diagnostic, Failure, Place};
pub use vip::MAX_VIPS;

use error::{Report, Span};
use files::{Disk, Files, Memory};
use model::{Config, Dialect};
use read::Drafts;

/// A configuration that can be used, and what the operator should know about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Sorted by place.
    pub warnings: Vec<Diagnostic>,
}

/// Reads and validates the file `path` and all that it includes.
///
/// # Errors
/// All that is wrong with them; a file that cannot be read is one of these errors.
pub fn load(path: &str) -> Result<Loaded, Failure> {
    load_with(path, &mut Disk::default())
}

/// [`load`] with another source of files, variables and the id of `@id` lines.
///
/// # Errors
/// As [`load`].
pub fn load_with(path: &str, files: &mut dyn Files) -> Result<Loaded, Failure> {
    match files.read(path) {
        Ok(bytes) => load_bytes(path, &bytes, files),
        Err(why) => {
            let mut report = Report::default();
            let file = report.file(path);
            report.error(
                &Span::whole(file),
                format_args!("cannot read it ({why})\ncorrect the name or the permissions"),
            );
            let (errors, warnings) = report.finish();
            Err(Failure { errors, warnings })
        }
    }
}

/// [`load`] for text that is no file; what it includes does not exist. For tests.
///
/// # Errors
/// As [`load`].
pub fn load_str(name: &str, text: &str) -> Result<Loaded, Failure> {
    load_bytes(name, text.as_bytes(), &mut Memory::default())
}

/// Validates `bytes`, the content of the file `name`. Any bytes may arrive, so this is what a
/// fuzzer calls: no panic, and time and memory are bounded by the limits in `keepalived`, `block`
/// and [`files`].
///
/// # Errors
/// As [`load`].
pub fn load_bytes(name: &str, bytes: &[u8], files: &mut dyn Files) -> Result<Loaded, Failure> {
    let mut report = Report::default();
    let file = report.file(name);
    let mut drafts = Drafts::new();
    report.dialect = uci::dialect_of(name, bytes);
    let each = &mut |node: block::Node, report: &mut Report| drafts.read(&node, report);
    let dialect = match report.dialect {
        Dialect::Keepalived => {
            keepalived::parse(name, bytes, files, &mut report, each);
            Dialect::Keepalived
        }
        Dialect::Uci => uci::parse(name, bytes, files, &mut report, each),
    };
    if drafts.instances.is_empty() && report.error_count() == 0 {
        let message = format_args!("there is no `vrrp_instance`, so nothing to do");
        let help = match dialect {
            Dialect::Keepalived => format_args!("add `vrrp_instance NAME {{ … }}`"),
            Dialect::Uci => {
                format_args!("add `config vrrp_instance 'NAME'`, or set its `enabled` to 1")
            }
        };
        report.error_with(&Span::whole(file), message, help);
    }
    if dialect == Dialect::Uci {
        family::split(&mut drafts);
    }
    for instance in &mut drafts.instances {
        family::settle(instance, &mut report);
    }
    checks::between(&drafts, &mut report);
    checks::open_secrets(&drafts, files, &mut report);
    track::resolve(&mut drafts, &mut report);
    group::resolve(&mut drafts, &mut report);
    uplink::check(&drafts, &mut report);
    let scripts = script::build(&mut drafts, files, &mut report);
    let mut config = build::build(&mut drafts, scripts, dialect, &mut report);
    uplink::mark(&mut config, &|uplink, interface| *uplink == *interface);
    let failed = report.error_count() > 0;
    let (errors, warnings) = report.finish();
    if failed {
        return Err(Failure { errors, warnings });
    }
    Ok(Loaded { config, warnings })
}
