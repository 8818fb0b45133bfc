//! `dhcp follow` and `ra follow` beside OpenWrt's own servers: whether /etc/config/dhcp says what
//! they need. What is missing there is a warning with the command that adds it.

use core::net::IpAddr;

use super::checks;
use super::error::{Placed, Report};
use super::files::Files;
use super::model::Dialect;
use super::read::{Drafts, InstanceDraft};
use super::schema::FOLLOW;
use super::uci::{self, Section};

/// A keyword that says `follow`.
pub(crate) fn placed<'a>(
    slot: &'a Option<Placed<&'static str>>,
) -> Option<&'a Placed<&'static str>> {
    slot.as_ref().filter(|placed| placed.value == FOLLOW)
}

/// Compares the instances that follow with the file `dhcp` beside `path`, which is UCI.
pub(crate) fn servers(path: &str, drafts: &Drafts, files: &mut dyn Files, report: &mut Report) {
    let mut words = drafts.instances.iter();
    let first = words.find_map(|i| placed(&i.draft.dhcp).or(placed(&i.draft.ra)));
    let (Some(first), Dialect::Uci) = (first, report.dialect) else {
        return;
    };
    let path = format!("{}dhcp", path.trim_end_matches(|c| c != '/'));
    let read = files.read(&path);
    let sections = read.and_then(|bytes| {
        uci::sections(&path, &bytes)
            .map_err(|errors| errors.iter().map(|e| e.to_string()).collect())
    });
    match sections {
        Ok(sections) => {
            for instance in &drafts.instances {
                if let Some(interface) = checks::interface(instance, &drafts.globals) {
                    compare(instance, Server::find(&sections, interface), report);
                }
            }
        }
        Err(why) => {
            let message = format!("it is not known what the servers do, for {path}: {why}");
            let help = "see \"DHCP and RA follow the Active\" in the README for what they need";
            report.warn(&first.span, message, help);
        }
    }
}

/// The section of an interface.
struct Server<'a> {
    section: &'a Section,
    /// How `uci` calls it.
    name: String,
}

impl<'a> Server<'a> {
    fn find(sections: &'a [Section], interface: &str) -> Option<Self> {
        let of_kind = sections.iter().filter(|s| s.kind.text == "dhcp");
        let has = |section: &Section| {
            let named = uci::setting(section, "interface");
            named.is_some_and(|s| uci::value(s).whole.text == interface)
        };
        let (index, section) = of_kind.enumerate().find(|(_, s)| has(s))?;
        let name = section.name.as_ref().map(|name| name.text.to_string());
        let name = name.unwrap_or_else(|| format!("@dhcp[{index}]"));
        Some(Self { section, name })
    }

    fn says(&self, option: &str) -> Option<&str> {
        uci::setting(self.section, option).map(|s| &*uci::value(s).whole.text)
    }

    fn is_on(&self, option: &str) -> bool {
        self.says(option).and_then(uci::boolean).unwrap_or(false)
    }

    /// One of `vips` is sent as this option of DHCP.
    fn sends(&self, numbers: [&str; 2], vips: &[IpAddr]) -> bool {
        let setting = uci::setting(self.section, "dhcp_option");
        let values = setting.map_or(&[][..], |setting| &setting.values);
        let mut options = values.iter().flat_map(|v| v.whole.text.split_whitespace());
        options.any(|option| {
            let has = |wanted: &dyn Fn(&str) -> bool| option.split(',').any(wanted);
            let is_vip = |word: &str| vips.iter().any(|vip| word.parse() == Ok(*vip));
            has(&|word| numbers.contains(&word)) && has(&is_vip)
        })
    }
}

fn compare(instance: &InstanceDraft, server: Option<Server<'_>>, report: &mut Report) {
    let draft = &instance.draft;
    if let Some(word) = placed(&draft.dhcp) {
        match server.as_ref().filter(|server| !server.is_on("ignore")) {
            Some(server) => dhcp(instance, word, server, report),
            None => {
                let message = "no section of /etc/config/dhcp has a server for the interface";
                report.warn(&word.span, message, "add one, or remove `dhcp`");
            }
        }
    }
    let announces = |s: &Server<'_>| !matches!(s.says("ra"), None | Some("disabled"));
    if let Some(word) = placed(&draft.ra)
        && let Some(Server { name, .. }) = server.filter(announces)
    {
        let change = format!("set dhcp.{name}.ra=disabled");
        warn(
            word,
            "odhcpd sends router advertisements too",
            &change,
            report,
        );
    }
}

fn dhcp(
    instance: &InstanceDraft,
    word: &Placed<&'static str>,
    server: &Server<'_>,
    report: &mut Report,
) {
    let name = &server.name;
    if !server.is_on("force") {
        let message = "the DHCP server does not start where it sees another";
        warn(word, message, &format!("set dhcp.{name}.force=1"), report);
    }
    let vips = instance.draft.vips.iter().map(|placed| placed.vip.address);
    let vips: Vec<IpAddr> = vips.filter(IpAddr::is_ipv4).collect();
    let Some(vip) = vips.first() else { return };
    for (number, option, what) in [
        ("3", "option:router", "gateway"),
        ("6", "option:dns-server", "DNS server"),
    ] {
        if !server.sends([number, option], &vips) {
            let message = format!("clients do not get {vip} as their {what}");
            let change = format!("add_list dhcp.{name}.dhcp_option='{number},{vip}'");
            warn(word, &message, &change, report);
        }
    }
}

fn warn(word: &Placed<&'static str>, message: &str, change: &str, report: &mut Report) {
    let help = format!("run `uci {change}; uci commit dhcp; reload_config`");
    report.warn(&word.span, message, help);
}
