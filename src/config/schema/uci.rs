//! What UCI says in other words than keepalived.conf. All else is the same table: the options of a
//! section are the keywords of the block.

use super::Block;
use crate::config::model::Dialect;

/// A type of section that only others refer to by name; it becomes one line of their block.
pub(crate) struct Entry {
    /// Its type.
    pub(crate) kind: &'static str,
    /// The lists that name such sections.
    pub(crate) lists: &'static [&'static str],
    /// Its options besides `name`, in the order in which the line has them.
    pub(crate) options: &'static [(&'static str, Part)],
}

/// What an option of an [`Entry`] adds to the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its value. Without it there is no line.
    Value,
    /// This word and its value.
    Named(&'static str),
    /// This word, if the value is true.
    Flag(&'static str),
    /// `label DEVICE:VALUE`; `vip` unless given, as OpenWrt's keepalived has it.
    Label,
    /// `reverse`, if the value says so.
    Direction,
}

use Part::{Direction, Flag, Label, Named, Value};

/// All of them.
#[rustfmt::skip] // one row a type
pub(crate) const ENTRIES: &[Entry] = &[
    Entry {
        kind: "ipaddress",
        lists: &["virtual_ipaddress", "virtual_ipaddress_excluded"],
        options: &[("address", Value), ("device", Named("dev")), ("scope", Named("scope")), ("label_suffix", Label)],
    },
    Entry {
        kind: "route",
        lists: &["virtual_routes"],
        options: &[("blackhole", Flag("blackhole")), ("src_addr", Named("src")), ("address", Value), ("gateway", Named("via")), ("device", Named("dev")), ("scope", Named("scope")), ("table", Named("table"))],
    },
    Entry {
        kind: "peer",
        lists: &["unicast_peer"],
        options: &[("address", Value), ("min_ttl", Named("min_ttl")), ("max_ttl", Named("max_ttl"))],
    },
    Entry {
        kind: "track_interface",
        lists: &["track_interface"],
        options: &[("value", Value), ("weight", Named("weight")), ("direction", Direction)],
    },
    Entry {
        kind: "track_script",
        lists: &["track_script"],
        options: &[("value", Value), ("weight", Named("weight")), ("direction", Direction)],
    },
];

/// Options that OpenWrt's other programs read or write: type of section, option, what to know.
const IGNORED: &[(&str, &[&str], &str)] = &[
    (
        "peer",
        &[
            "sync",
            "sync_mode",
            "sync_dir",
            "sync_list",
            "ssh_port",
            "ssh_key",
            "ssh_pubkey",
            "last_sync_time",
            "last_sync_status",
        ],
        "no files are copied between the routers",
    ),
    (
        "vrrp_script",
        &["fail"],
        "OpenWrt's keepalived does not read it either: write `fall`",
    ),
];

/// The option and what to know of it, if sections of this type may have it in vain.
pub(crate) fn ignored(kind: &str, option: &str) -> Option<(&'static str, &'static str)> {
    let mut rows = IGNORED.iter().filter(|(of, ..)| *of == kind);
    rows.find_map(|(_, options, help)| {
        let known = options.iter().find(|known| **known == option)?;
        Some((*known, *help))
    })
}

/// The types that a slip of the finger is compared with.
pub(crate) const KINDS: &[&str] = &[
    "ipaddress",
    "route",
    "peer",
    "track_interface",
    "track_script",
    "globals",
    "vrrp_instance",
    "vrrp_sync_group",
    "vrrp_script",
    "track_probe",
    "static_ipaddress",
    "static_routes",
    "static_rules",
];

/// A type of section that keepalived.conf has not, without effect.
pub(crate) const LVS_ONLY: &str = "url";

impl Block {
    /// How the block is called in messages about a file of this dialect.
    pub(crate) const fn called(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::GlobalDefs, Dialect::Uci) => "globals",
            _ => self.name(),
        }
    }
}
