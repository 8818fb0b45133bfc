//! The ONE table of keywords: what the parser accepts, what CONFIG.md says, what is suggested for
//! an unknown word. Adding a keyword is adding a row (and, if it works, a slot in [`Draft`]).

mod draft;
mod globals;
mod instance;
mod others;
mod packed;
mod routing;
mod suggest;
pub(crate) mod uci;

use std::rc::Rc;

use crate::config::model::{Hook, InitFile};
use crate::config::vip::PlacedVip;
use crate::time::Duration;
use crate::vrrp::track::Kind;
use crate::vrrp::types::Family;

pub(crate) use draft::{Draft, Plain};
use draft::{HeapSlot, Slot};
pub(crate) use suggest::{nearest, nearest_help};

/// Of `dhcp` and `ra`: with the Active.
pub(crate) const FOLLOW: &str = "follow";

/// A place where keywords may stand, in the order of [`TABLES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Top,
    GlobalDefs,
    Instance,
    Authentication,
    /// One line of `virtual_ipaddress`, behind the address.
    Address,
    /// One line of `virtual_routes`.
    Route,
    /// One line of `virtual_rules`.
    Rule,
    /// One line of `unicast_peer`, behind the address.
    Peer,
    /// One line of `track_interface` and its like, behind the name.
    Tracked,
    AuthHmac,
    SyncGroup,
    Script,
    TrackFile,
    TrackProcess,
    /// `track_probe NAME`, and one line of `probe`.
    Probe,
    GarpGroup,
    Bfd,
}

/// How common a word is among keepalived's users, or that it is vipd's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Everyone uses it.
    A,
    /// Commonly used.
    B,
    /// Rare.
    C,
    /// Not in keepalived.
    Own,
}

/// What a keyword takes and what is done with it.
#[derive(Clone, Copy)]
pub(crate) enum Rule {
    /// `[on|off|true|false|yes|no]`; the bare word means `bare`, and `off` its opposite.
    Flag { bare: bool, slot: Slot<bool> },
    /// A whole number; one below zero is in its slot as the two's complement.
    Number { min: i16, max: i32, slot: Slot<u32> },
    /// A count of 1–255 where keepalived reads 0 as 1.
    Repeat { slot: Slot<u32> },
    /// Seconds with up to six decimals, from so many hundredths of one to so many.
    Seconds {
        min_centis: u16,
        max: u32,
        slot: Slot<Duration>,
    },
    /// Any word.
    Text { slot: HeapSlot<Rc<str>> },
    /// The name of a network interface.
    Interface { slot: HeapSlot<Rc<str>> },
    /// One of these words.
    Choice(&'static Choice),
    /// An address of the router's own.
    Address { slot: Slot<core::net::IpAddr> },
    /// An IPv4 multicast group.
    Group { slot: Slot<core::net::Ipv4Addr> },
    /// A word that is never printed.
    Secret { slot: HeapSlot<Rc<str>> },
    /// A block whose words fill the same draft.
    Words(Block),
    /// `vrrp_instance NAME { … }`
    Instance,
    /// `vrrp_sync_group NAME { … }`
    SyncGroup,
    /// `group { … }`
    Members,
    /// `track_interface { … }` and its like.
    Tracked(Kind),
    /// `vrrp_script NAME { … }` and its like: what can be tracked by this name.
    Watched { kind: Kind, block: Block },
    /// A path and arguments.
    Command { slot: HeapSlot<Box<[Box<str>]>> },
    /// Any words up to the end of the line or the next keyword of `vrrp_track_process`.
    Line(&'static Line),
    /// `USER [GROUP]`
    User { slot: HeapSlot<Box<[Box<str>]>> },
    /// `weight N [reverse]` of what can be tracked.
    Weight { max: i16, slot: Slot<(i16, bool)> },
    /// `init_file [VALUE] [overwrite]`
    InitFile { slot: Slot<InitFile> },
    /// `probe { … }`: probes in place.
    Probes,
    /// What a probe asks, read by `probe.rs`.
    Check,
    /// `interface_up_down_delays { … }`
    Delays,
    /// `virtual_ipaddress { … }` and its like.
    Addresses {
        most: u16,
        list: fn(&mut Draft) -> &mut Vec<PlacedVip>,
    },
    /// `virtual_routes { … }`, `static_routes { … }`
    Routes,
    /// `virtual_rules { … }`, `static_rules { … }`
    Rules,
    /// `unicast_peer { … }`
    Peers,
    /// A command, its user and its group.
    Program(Hook),
    /// `use_vmac [NAME]`
    Vmac { slot: HeapSlot<Option<Rc<str>>> },
    /// An option of an address, a route, a rule, a peer or an interface that is tracked, read by the
    /// file of its block.
    Option { is: Opt },
    /// Known, without effect, answered with one warning, which says what happens instead.
    Skipped { why: Skip, takes: Form },
    /// A known block without effect; its words are checked for being known.
    SkippedWords { words: Block, takes: Form },
}

/// The words that a keyword chooses from.
pub(crate) type Choices = &'static [&'static str];

/// See [`Rule::Choice`]. A [`Rule`] refers to what is larger than a word of the machine: there are hundreds of rules.
pub(crate) struct Choice {
    pub(crate) of: Choices,
    pub(crate) slot: Slot<&'static str>,
}

/// See [`Rule::Line`].
pub(crate) struct Line {
    pub(crate) takes: &'static str,
    pub(crate) slot: HeapSlot<Box<[Box<str>]>>,
}

/// What an option says, whichever of its words stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opt {
    /// Nothing, or what the word itself is compared for.
    Word,
    /// `dev` of an address or of a next hop.
    Dev,
    Scope,
    Label,
    Broadcast,
    To,
    From,
    Via,
    Source,
    Metric,
    Table,
    Tos,
    Onlink,
    /// `nexthop`
    Hop,
    Or,
    Weight,
    /// RTN_… of a route, FR_ACT_… of a rule.
    Kind(u8),
    /// RTAX_…
    Rtax(u8),
    Preference,
    Family(Family),
    Append,
    Exclusive,
    Not,
    /// `iif`
    Input,
    /// `oif`
    Output,
    Mark,
    Goto,
    PrefixLength,
    /// FRA_…, of 32 bits.
    Number(u16),
}

/// What the reader must know of what a skipped word takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Nothing,
    /// Nothing, or a BOOL.
    Bool,
    /// Any words up to the end of the line.
    Words,
    /// Nothing but a block.
    Block,
}

/// Why a known word has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skip {
    /// It will work some day.
    Later,
    /// vipd behaves so without it, or has nothing that it could tune.
    Needless,
    /// Not the business of a VRRP daemon.
    Foreign,
}

/// One row of the table.
#[derive(Clone, Copy)]
pub(crate) struct Keyword {
    /// The word.
    pub(crate) name: &'static str,
    /// What it takes.
    pub(crate) rule: Rule,
    /// What follows an option or a check; of a skipped word what happens instead. Else empty.
    pub(crate) text: &'static str,
    /// What CONFIG.md alone says: 11 KB, left out of router builds.
    #[cfg(feature = "reference")]
    pub(crate) reference: Reference,
}

/// What CONFIG.md alone says of a word.
#[cfg(feature = "reference")]
#[derive(Clone, Copy)]
pub(crate) struct Reference {
    /// How common it is.
    pub(crate) class: Class,
    /// Of a skipped word: what it takes.
    pub(crate) takes: &'static str,
    /// Its default, as text.
    pub(crate) default: &'static str,
    /// One line about it; of a skipped word what happens instead.
    pub(crate) doc: &'static str,
    /// The RFC section it comes from, empty for keepalived's own words.
    pub(crate) source: &'static str,
}

/// The words of one block as the source has them; `packed` has them as the program does.
pub(crate) struct Table {
    /// Where they stand.
    pub(crate) block: Block,
    /// In the order of the reference.
    pub(crate) words: &'static [Keyword],
}

/// All there is, in the order of [`Block`].
pub(crate) const TABLES: &[Table] = &[
    others::TOP,
    globals::GLOBAL_DEFS,
    instance::INSTANCE,
    instance::AUTHENTICATION,
    instance::ADDRESS,
    routing::ROUTE,
    routing::RULE,
    instance::PEER,
    instance::TRACKED,
    instance::AUTH_HMAC,
    others::SYNC_GROUP,
    others::SCRIPT,
    others::TRACK_FILE,
    others::TRACK_PROCESS,
    others::PROBE,
    others::GARP_GROUP,
    others::BFD,
];

impl Block {
    /// How the block is called in messages and in the reference.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Top => "the top level",
            Self::GlobalDefs => "global_defs",
            Self::Instance => "vrrp_instance",
            Self::Authentication => "authentication",
            Self::AuthHmac => "auth_hmac",
            Self::Address => "virtual_ipaddress",
            Self::Route => "virtual_routes",
            Self::Rule => "virtual_rules",
            Self::Peer => "unicast_peer",
            Self::Tracked => "track_interface",
            Self::SyncGroup => "vrrp_sync_group",
            Self::Script => "vrrp_script",
            Self::TrackFile => "track_file",
            Self::TrackProcess => "vrrp_track_process",
            Self::Probe => "track_probe",
            Self::GarpGroup => "garp_group",
            Self::Bfd => "bfd_instance",
        }
    }

    /// Whether the words in it may be passwords, so that none of them is printed.
    pub(crate) const fn is_secret(self) -> bool {
        matches!(self, Self::Authentication | Self::AuthHmac)
    }

    /// The row of `name`.
    pub(crate) fn find(self, name: &str) -> Option<Keyword> {
        self.words().find(|word| word.name == name)
    }

    /// Whether `name` may stand in it.
    pub(crate) fn has(self, name: &str) -> bool {
        self.find(name).is_some()
    }
}

impl Keyword {
    /// What follows the word, for the reference and for messages.
    pub(crate) fn syntax(&self) -> String {
        let fixed = match self.rule {
            Rule::Flag { .. } => "[BOOL]",
            Rule::Number { min, max, .. } => return format!("{min}–{max}"),
            Rule::Repeat { .. } => "1–255",
            Rule::Seconds {
                min_centis, max, ..
            } => {
                let min = Duration::from_centis(min_centis.into()).to_string();
                return format!("SECONDS ({}–{max})", min.trim_end_matches('s'));
            }
            Rule::Text { .. } => "TEXT",
            Rule::Interface { .. } => "INTERFACE",
            Rule::Choice(choice) => return choice.of.join("|"),
            Rule::Address { .. } => "ADDRESS",
            Rule::Group { .. } => "IPV4-GROUP",
            Rule::Secret { .. } => "PASSWORD",
            Rule::Words(_) => "{ … }",
            Rule::Instance | Rule::SyncGroup | Rule::Watched { .. } => "NAME { … }",
            Rule::Members => "{ NAME … }",
            Rule::Tracked(Kind::Interface) => "{ INTERFACE [weight N] [reverse] … }",
            Rule::Tracked(_) => "{ NAME [weight N] [reverse] … }",
            Rule::Command { .. } => "PATH [ARGUMENT …]",
            Rule::User { .. } => "USER [GROUP]",
            Rule::Weight { max, .. } => return format!("-{max}–{max} [reverse]"),
            Rule::InitFile { .. } => "[VALUE] [overwrite]",
            Rule::Delays => "{ INTERFACE DOWN [UP] … }",
            Rule::Addresses { .. } => {
                "{ ADDRESS[/PREFIX] [dev INTERFACE] [scope SCOPE] [label LABEL] [brd ADDRESS|+|-] … }"
            }
            Rule::Routes => "{ ROUTE … }",
            Rule::Rules => "{ RULE … }",
            Rule::Peers => "{ ADDRESS [min_ttl N] [max_ttl N] … }",
            Rule::Vmac { .. } => "[INTERFACE]",
            Rule::Program(Hook::Deleted) => "[COMMAND [USER [GROUP]]]",
            Rule::Program(hook) if hook.is_fifo() => "FILE [USER [GROUP]]",
            Rule::Program(_) => "COMMAND [USER [GROUP]]",
            Rule::Probes => {
                "{ CHECK via INTERFACE [interval N] [timeout N] [rise N] [fall N] [weight N] … }"
            }
            Rule::Line(line) => line.takes,
            Rule::Option { .. } | Rule::Check => self.text,
            #[cfg(feature = "reference")]
            Rule::Skipped { .. } | Rule::SkippedWords { .. } => self.reference.takes,
            // Nobody asks.
            #[cfg(not(feature = "reference"))]
            Rule::Skipped { .. } | Rule::SkippedWords { .. } => "",
        };
        fixed.into()
    }

    /// Whether the word stands alone.
    pub(crate) fn takes_nothing(&self) -> bool {
        match self.rule {
            Rule::Option { .. } => self.text.is_empty(),
            Rule::Skipped { takes, .. } => takes == Form::Nothing,
            _ => false,
        }
    }

    /// Whether a block, and nothing else, follows the word: in UCI it is a list.
    pub(crate) fn is_list(&self) -> bool {
        match self.rule {
            Rule::Words(_)
            | Rule::Members
            | Rule::Tracked(_)
            | Rule::Delays
            | Rule::Addresses { .. }
            | Rule::Routes
            | Rule::Rules
            | Rule::Peers
            | Rule::Probes => true,
            Rule::Skipped { takes, .. } | Rule::SkippedWords { takes, .. } => takes == Form::Block,
            _ => false,
        }
    }

    /// Whether the word does something.
    #[cfg(feature = "reference")]
    pub(crate) const fn works(&self) -> bool {
        !matches!(self.rule, Rule::Skipped { .. } | Rule::SkippedWords { .. })
    }
}

/// A word with all that CONFIG.md says of it.
#[cfg_attr(not(feature = "reference"), allow(unused_variables))]
const fn keyword(
    name: &'static str,
    class: Class,
    rule: Rule,
    takes: &'static str,
    default: &'static str,
    doc: &'static str,
    source: &'static str,
) -> Keyword {
    Keyword {
        name,
        rule,
        text: "",
        #[cfg(feature = "reference")]
        reference: Reference {
            class,
            takes,
            default,
            doc,
            source,
        },
    }
}

/// A word that works.
const fn row(
    name: &'static str,
    class: Class,
    rule: Rule,
    default: &'static str,
    doc: &'static str,
    source: &'static str,
) -> Keyword {
    keyword(name, class, rule, "", default, doc, source)
}

/// An option of a line, which `takes` that.
const fn option(
    name: &'static str,
    class: Class,
    is: Opt,
    takes: &'static str,
    default: &'static str,
    doc: &'static str,
    source: &'static str,
) -> Keyword {
    Keyword {
        text: takes,
        ..row(name, class, Rule::Option { is }, default, doc, source)
    }
}

/// What a probe asks, which `takes` that.
const fn check(
    name: &'static str,
    class: Class,
    takes: &'static str,
    default: &'static str,
    doc: &'static str,
    source: &'static str,
) -> Keyword {
    Keyword {
        text: takes,
        ..row(name, class, Rule::Check, default, doc, source)
    }
}

/// What the reader must know of `takes`.
const fn form(takes: &str) -> Form {
    match takes.as_bytes() {
        b"" => Form::Nothing,
        b"[BOOL]" => Form::Bool,
        [b'{', ..] => Form::Block,
        _ => Form::Words,
    }
}

const fn skipped(
    name: &'static str,
    class: Class,
    rule: Rule,
    takes: &'static str,
    instead: &'static str,
) -> Keyword {
    Keyword {
        text: instead,
        ..keyword(name, class, rule, takes, "", instead, "")
    }
}

/// A word of which the reader only knows what it takes.
const fn without_effect(
    why: Skip,
    name: &'static str,
    class: Class,
    takes: &'static str,
    instead: &'static str,
) -> Keyword {
    let rule = Rule::Skipped {
        why,
        takes: form(takes),
    };
    skipped(name, class, rule, takes, instead)
}

/// A word without effect so far; `instead` is what happens.
const fn not_yet(
    name: &'static str,
    class: Class,
    takes: &'static str,
    instead: &'static str,
) -> Keyword {
    without_effect(Skip::Later, name, class, takes, instead)
}

/// A word that vipd needs not; `instead` says why.
const fn not_needed(
    name: &'static str,
    class: Class,
    takes: &'static str,
    instead: &'static str,
) -> Keyword {
    without_effect(Skip::Needless, name, class, takes, instead)
}

/// A word that is no business of vipd's.
const fn not_ours(
    name: &'static str,
    class: Class,
    takes: &'static str,
    instead: &'static str,
) -> Keyword {
    without_effect(Skip::Foreign, name, class, takes, instead)
}

/// A block without effect so far, whose words are known.
const fn skipped_block(
    name: &'static str,
    class: Class,
    words: Block,
    takes: &'static str,
    instead: &'static str,
) -> Keyword {
    let rule = Rule::SkippedWords {
        words,
        takes: form(takes),
    };
    skipped(name, class, rule, takes, instead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "reference")]
    fn no_word_stands_twice_in_a_block_and_every_row_is_documented() {
        for table in TABLES {
            for (index, word) in table.words.iter().enumerate() {
                let before = &table.words[..index];
                assert!(
                    before.iter().all(|other| other.name != word.name),
                    "{} stands twice in {}",
                    word.name,
                    table.block.name()
                );
                assert!(
                    !word.reference.doc.is_empty(),
                    "{} has no line of doc",
                    word.name
                );
                assert!(!word.reference.doc.contains(['\n', '|']), "{}", word.name);
            }
        }
    }

    #[test]
    fn a_row_is_small() {
        // Hundreds of them are in the program.
        assert!(size_of::<Rule>() <= 16, "{}", size_of::<Rule>());
    }
}
