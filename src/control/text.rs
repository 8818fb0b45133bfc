//! The status for people: one line an instance that explains itself, and details below it.
//!
//! Rendered by the daemon as the JSON is, instance by instance: a client that reads the JSON in order
//! to say it in words would cost 85 kB of code, a tenth of the program.

use core::fmt::{self, Display, Formatter};
use core::net::IpAddr;

use super::status::{
    Active, Counters, Dropped, Follows, Instance, Peer, Receive, Route, Status, Tracker, Uplink,
    Vip, Vmac,
};
use crate::time::Duration;

impl Display for Status<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            pid,
            uptime_ms,
            send_errors,
            ..
        } = self;
        writeln!(
            f,
            "vipd {version}, process {pid}, running for {}",
            Age(*uptime_ms)
        )?;
        if *send_errors > 0 {
            row(
                f,
                "not sent",
                &format_args!(
                    "{send_errors} frames that the kernel did not take; `vipd run --log debug` says why"
                ),
            )?;
        }
        self.drops.iter().try_for_each(|d| row(f, "dropped", d))?;
        addresses(f, &self.static_addresses)?;
        routes(f, &self.static_routes)?;
        self.instances.iter().try_for_each(|i| i.fmt(f))
    }
}

impl Display for Instance<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            state,
            interface,
            state_age_ms,
            reason_text,
            ..
        } = self;
        let age = Age(*state_age_ms);
        write!(f, "{name}: {state} for {age}")?;
        match *state {
            "Backup" => writeln!(f, " on {interface}: {}", Standing(self))?,
            "Active" => writeln!(f, " on {interface}: {reason_text}")?,
            // What holds it names the interface where that matters.
            _ => writeln!(f, ": {reason_text}")?,
        }
        if *state == "Backup" {
            row(f, "reason", reason_text)?;
        }
        row(f, "settings", &Settings(self))?;
        if let Some(group) = &self.group {
            row(f, "group", group)?;
        }
        self.trackers.iter().try_for_each(|t| row(f, "tracks", t))?;
        self.uplinks.iter().try_for_each(|u| row(f, "uplink", u))?;
        if let Some(active) = &self.active {
            row(f, "Active", active)?;
        }
        self.unicast_peers
            .iter()
            .try_for_each(|peer| row(f, "unicast", &format_args!("to {peer}")))?;
        let Receive { sockets, why } = &self.receive;
        row(f, "receive", &format_args!("{sockets}: {why}"))?;
        if let Some(vmac) = &self.vmac {
            row(f, "MAC", vmac)?;
        }
        for (label, follows) in [("DHCP", &self.dhcp), ("RA", &self.ra)] {
            if let Some(Follows { why, .. }) = follows {
                row(f, label, why)?;
            }
        }
        addresses(f, &self.vips)?;
        routes(f, &self.routes)?;
        self.peers.iter().try_for_each(|p| row(f, "heard", p))?;
        row(f, "counters", &self.counters)?;
        self.drops.iter().try_for_each(|d| row(f, "dropped", d))
    }
}

impl Display for Uplink<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            wanted,
            state,
            state_age_ms,
            failures,
            fights,
        } = self;
        write!(f, "{name}: {state}")?;
        if let Some(age) = state_age_ms {
            write!(f, " for {}", Age(*age))?;
        }
        f.write_str(", ")?;
        f.write_str(match (wanted, *state) {
            (_, "absent") => "netifd does not know it; correct the name",
            (true, "up") => "because this router is Active",
            (true, _) => "but it is to be up, because this router is Active",
            (false, "down") => "because this router is not Active",
            (false, _) => "but it is to be down, because this router is not Active",
        })?;
        if *failures > 0 {
            write!(f, "; requests failed: {failures}")?;
        }
        if *fights > 0 {
            write!(f, "; changed by somebody else: {fights}")?;
        }
        Ok(())
    }
}

fn addresses(f: &mut Formatter<'_>, vips: &[Vip<'_>]) -> fmt::Result {
    vips.iter().try_for_each(|v| row(f, "address", v))
}

fn routes(f: &mut Formatter<'_>, routes: &[Route<'_>]) -> fmt::Result {
    routes.iter().try_for_each(|r| row(f, r.kind, r))
}

fn row(f: &mut Formatter<'_>, label: &str, text: &dyn Display) -> fmt::Result {
    writeln!(f, "  {label:<9} {text}")
}

/// A Backup's answer to: who is Active, and why am I not?
struct Standing<'a>(&'a Instance<'a>);

impl Display for Standing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let instance = self.0;
        let ours = instance.effective_priority;
        let Some(due) = instance.active_down_in_ms.map(Age) else {
            let group = instance.group.unwrap_or_default();
            return write!(f, "would take over, but sync group {group} is not ready");
        };
        let Some(active) = &instance.active else {
            return write!(
                f,
                "no other router is Active; this one takes over in {due} unless one is heard"
            );
        };
        write!(f, "{} is Active", Address(active.address))?;
        match active.priority {
            None => Ok(()),
            Some(theirs) if theirs > ours => {
                write!(f, ": its priority {theirs} is higher than ours, {ours}")
            }
            Some(theirs) if theirs == ours => write!(
                f,
                ": its priority {theirs} is ours too, and it was there first"
            ),
            Some(theirs) => {
                write!(f, ": its priority {theirs} is lower than ours, {ours}, ")?;
                match (instance.preempt, instance.preempt_delay_ms) {
                    (false, _) => f.write_str("but `nopreempt` lets it stay"),
                    (true, 0) => write!(f, "so this router takes over in {due}"),
                    (true, delay) => write!(
                        f,
                        "so this router takes over when preempt_delay, {}, has passed",
                        Interval(delay)
                    ),
                }
            }
        }
    }
}

struct Settings<'a>(&'a Instance<'a>);

impl Display for Settings<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Instance {
            vrid,
            version,
            family,
            priority,
            effective_priority,
            advert_interval_ms,
            preempt,
            accept,
            ..
        } = self.0;
        write!(
            f,
            "VRID {vrid}, version {version}, {family}, priority {effective_priority}"
        )?;
        if priority != effective_priority {
            write!(f, " (configured {priority})")?;
        }
        write!(f, ", every {}", Interval(*advert_interval_ms))?;
        write!(f, "{}", Checksum(self.0.checksum))?;
        if let Some(source) = self.0.source {
            write!(f, ", from {source}")?;
        }
        f.write_str(if *preempt { "" } else { ", nopreempt" })?;
        f.write_str(if *accept { "" } else { ", no_accept" })
    }
}

impl Display for Active<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.this_router {
            f.write_str("this router, ")?;
        }
        write!(f, "{}", Address(self.address))?;
        if let Some(priority) = self.priority {
            write!(f, ", priority {priority}")?;
        }
        if let Some(interval) = self.advert_interval_ms {
            write!(f, ", every {}", Interval(interval))?;
        }
        write!(f, ", version {}", self.version)?;
        write!(f, "{}", Checksum(self.checksum))
    }
}

impl Display for Vmac<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "virtual, {}", self.address)?;
        for name in &self.interfaces {
            write!(f, ", on {name}")?;
        }
        f.write_str(if self.adverts {
            ", adverts too"
        } else {
            ", adverts without"
        })
    }
}

impl Display for Tracker<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            name,
            weight,
            reverse,
            ..
        } = self;
        if *kind != "interface" {
            write!(f, "{kind} ")?;
        }
        match self.value {
            Some(value) => write!(f, "{name}: {value}")?,
            None => write!(f, "{name}: {}", if self.up { "up" } else { "down" })?,
        }
        write!(f, ", weight {weight}")?;
        f.write_str(if *reverse { " reverse: " } else { ": " })?;
        match self.effect {
            None => f.write_str("holds the instance in Initialize")?,
            Some(change) => write!(f, "{change:+}")?,
        }
        match (self.round_trip_us, &self.reason) {
            (Some(time), _) => write!(f, "; answered after {time} µs"),
            (None, Some(reason)) => write!(f, "; {reason}"),
            (None, None) => Ok(()),
        }
    }
}

impl Display for Vip<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            prefix_len,
            interface,
            ..
        } = self;
        write!(f, "{address}/{prefix_len} on {interface}: ")?;
        f.write_str(presence(self.wanted, self.present, self.foreign))?;
        if !self.advertised {
            f.write_str(", not in adverts")?;
        }
        match self.lease_s {
            Some(lease) => write!(f, ", leased for {lease} s"),
            None => Ok(()),
        }
    }
}

/// How it is in the kernel.
fn presence(wanted: bool, present: bool, foreign: bool) -> &'static str {
    match (wanted, present, foreign) {
        (_, true, true) => "present, put there by somebody else and left alone",
        (true, true, false) => "present",
        (true, false, _) => "missing, although it is wanted here: see the log",
        (false, true, false) => "present, although this router is not Active: see the log",
        (false, false, _) => "absent, as it should be",
    }
}

impl Display for Route<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.text)?;
        f.write_str(presence(self.wanted, self.present, self.foreign))
    }
}

impl Display for Peer<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            priority,
            advert_interval_ms,
            heard_ms_ago,
            adverts,
            ..
        } = self;
        write!(
            f,
            "{address} {} ago, priority {priority}",
            Age(*heard_ms_ago)
        )?;
        if *priority == 0 {
            f.write_str(" (it has given up)")?;
        }
        write!(f, ", every {}", Interval(*advert_interval_ms))?;
        write!(f, "{}, {adverts} adverts", Checksum(self.checksum))
    }
}

impl Display for Counters {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            sent,
            received,
            priority_zero_sent,
            priority_zero_received,
            became_active,
            addresses_lost,
        } = self;
        write!(
            f,
            "adverts sent {sent}, received {received}; of priority 0: sent {priority_zero_sent}, \
             received {priority_zero_received}; times Active {became_active}; addresses removed by \
             others {addresses_lost}"
        )
    }
}

impl Display for Dropped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.count, self.reason, self.remedy)
    }
}

struct Address(Option<IpAddr>);

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("without address"),
        }
    }
}

struct Checksum<'a>(Option<&'a str>);

impl Display for Checksum<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(form) => write!(f, ", {form} checksum"),
            None => Ok(()),
        }
    }
}

/// Milliseconds as they stand in the configuration.
struct Interval(u64);

impl Display for Interval {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Duration::from_millis(self.0).fmt(f)
    }
}

/// Milliseconds in the two largest units that matter.
struct Age(u64);

impl Display for Age {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (ms, s) = (self.0, self.0 / 1_000);
        match s {
            0..10 => write!(f, "{s}.{} s", ms % 1_000 / 100),
            10..60 => write!(f, "{s} s"),
            60..3_600 => write!(f, "{} min {} s", s / 60, s % 60),
            3_600..86_400 => write!(f, "{} h {} min", s / 3_600, s % 3_600 / 60),
            _ => write!(f, "{} d {} h", s / 86_400, s % 86_400 / 3_600),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn ages_have_two_units() {
        let text = |ms: u64| Age(ms).to_string();
        assert_eq!(text(0), "0.0 s");
        assert_eq!(text(9_960), "9.9 s");
        assert_eq!(text(59_999), "59 s");
        assert_eq!(text(192_000), "3 min 12 s");
        assert_eq!(text(7_380_000), "2 h 3 min");
        assert_eq!(text(180_000_000), "2 d 2 h");
    }

    fn backup() -> Instance<'static> {
        Instance {
            name: "VI_1",
            interface: "br-lan",
            family: "ipv4",
            vrid: 51,
            version: 3,
            state: "Backup",
            keepalived_state: "BACKUP",
            state_age_ms: 12_345,
            reason: "higher-priority",
            reason_text: "10.0.0.2 advertises the higher priority 200".into(),
            priority: 150,
            effective_priority: 100,
            advert_interval_ms: 1_000,
            preempt: true,
            preempt_delay_ms: 0,
            accept: true,
            checksum: Some("pseudo-header"),
            source: Some([10, 0, 0, 1].into()),
            unicast_peers: Vec::new(),
            active_down_in_ms: Some(3_210),
            uplinks: vec![Uplink {
                name: "wan",
                wanted: false,
                state: "coming",
                state_age_ms: Some(42_000),
                failures: 1,
                fights: 2,
            }],
            active: Some(Active {
                address: Some([10, 0, 0, 2].into()),
                this_router: false,
                priority: Some(200),
                advert_interval_ms: Some(10),
                version: 3,
                checksum: Some("message"),
            }),
            group: None,
            trackers: Vec::new(),
            receive: Receive {
                sockets: "tap",
                why: "as configured",
            },
            vmac: Some(Vmac {
                address: "00:00:5e:00:01:33".into(),
                interfaces: vec!["vrrp.51"],
                adverts: true,
            }),
            dhcp: Some(Follows {
                here: false,
                why: "blocked here, 10.0.0.2 is Active".into(),
            }),
            ra: None,
            vips: vec![Vip {
                address: [10, 0, 0, 100].into(),
                prefix_len: 24,
                interface: "br-lan",
                advertised: false,
                wanted: false,
                present: false,
                foreign: false,
                lease_s: Some(3),
            }],
            routes: vec![Route {
                kind: "rule",
                text: "from 10.0.0.0/24 table 100",
                wanted: true,
                present: false,
                foreign: false,
            }],
            peers: vec![Peer {
                address: [10, 0, 0, 2].into(),
                priority: 200,
                advert_interval_ms: 10,
                heard_ms_ago: 7,
                checksum: Some("message"),
                adverts: 99,
            }],
            counters: Counters {
                sent: 1,
                received: 2,
                priority_zero_sent: 3,
                priority_zero_received: 4,
                became_active: 5,
                addresses_lost: 6,
            },
            drops: vec![Dropped {
                reason: "ttl",
                count: 7,
                remedy: "look for an attack",
            }],
        }
    }

    #[test]
    fn a_backup_explains_itself() {
        let status = Status {
            format: 1,
            version: "0.1.0",
            pid: 42,
            uptime_ms: 3_723_000,
            send_errors: 1,
            drops: Vec::new(),
            static_addresses: Vec::new(),
            static_routes: Vec::new(),
            instances: vec![backup()],
        };
        expect![[r#"
            vipd 0.1.0, process 42, running for 1 h 2 min
              not sent  1 frames that the kernel did not take; `vipd run --log debug` says why
            VI_1: Backup for 12 s on br-lan: 10.0.0.2 is Active: its priority 200 is higher than ours, 100
              reason    10.0.0.2 advertises the higher priority 200
              settings  VRID 51, version 3, ipv4, priority 100 (configured 150), every 1s, pseudo-header checksum, from 10.0.0.1
              uplink    wan: coming for 42 s, but it is to be down, because this router is not Active; requests failed: 1; changed by somebody else: 2
              Active    10.0.0.2, priority 200, every 0.01s, version 3, message checksum
              receive   tap: as configured
              MAC       virtual, 00:00:5e:00:01:33, on vrrp.51, adverts too
              DHCP      blocked here, 10.0.0.2 is Active
              address   10.0.0.100/24 on br-lan: absent, as it should be, not in adverts, leased for 3 s
              rule      from 10.0.0.0/24 table 100: missing, although it is wanted here: see the log
              heard     10.0.0.2 0.0 s ago, priority 200, every 0.01s, message checksum, 99 adverts
              counters  adverts sent 1, received 2; of priority 0: sent 3, received 4; times Active 5; addresses removed by others 6
              dropped   7 ttl: look for an attack
        "#]]
        .assert_eq(&status.to_string());
    }

    #[test]
    fn why_it_is_not_active() {
        let say = |change: fn(&mut Instance<'static>)| {
            let mut instance = backup();
            change(&mut instance);
            Standing(&instance).to_string()
        };
        assert_eq!(
            say(|i| i.active = None),
            "no other router is Active; this one takes over in 3.2 s unless one is heard"
        );
        assert_eq!(
            say(|i| i.effective_priority = 200),
            "10.0.0.2 is Active: its priority 200 is ours too, and it was there first"
        );
        assert_eq!(
            say(|i| i.effective_priority = 250),
            "10.0.0.2 is Active: its priority 200 is lower than ours, 250, so this router takes \
             over in 3.2 s"
        );
        assert_eq!(
            say(|i| {
                i.effective_priority = 250;
                i.preempt_delay_ms = 5_000;
            }),
            "10.0.0.2 is Active: its priority 200 is lower than ours, 250, so this router takes \
             over when preempt_delay, 5s, has passed"
        );
        assert_eq!(
            say(|i| {
                i.effective_priority = 250;
                i.preempt = false;
            }),
            "10.0.0.2 is Active: its priority 200 is lower than ours, 250, but `nopreempt` lets it \
             stay"
        );
    }
}
