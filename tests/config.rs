//! The configuration as a whole: the example, the corpus beside this file, the reference.

#![allow(clippy::unwrap_used)]

use expect_test::expect_file;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use vipd::config::files::Disk;
use vipd::config::model::{
    Config, Delay, Globals, InitFile, Probe, Program, Script, TrackFile, Urgency, Vip,
};
use vipd::config::routing::{Item, Prefix, Route, What};
use vipd::config::{Failure, Loaded, load_with};
use vipd::vrrp::track::Tracker;
use vipd::vrrp::types::Auth;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What `vipd check` would know about the file, without the folder in front of its name.
fn verdict(path: &Path) -> String {
    let mut files = Disk {
        config_id: Some("main".into()),
        ..Disk::default()
    };
    let (config, errors, mut warnings) = match load_with(path.to_str().unwrap(), &mut files) {
        Ok(Loaded { config, warnings }) => (Some(config), vec![], warnings),
        Err(Failure { errors, warnings }) => (None, errors, warnings),
    };
    // It depends on the umask of whoever has checked them out.
    warnings.retain(|warning| !warning.help.contains("chmod"));
    let mut found = String::new();
    for error in errors {
        writeln!(found, "error: {error}").unwrap();
    }
    for warning in warnings {
        writeln!(found, "warning: {warning}").unwrap();
    }
    if let Some(config) = config {
        describe(&config, &mut found);
    }
    found.replace(&format!("{}/", path.parent().unwrap().display()), "")
}

fn list(programs: &[Program], found: &mut String) {
    for Program {
        hook,
        argv,
        user,
        ids,
    } in programs
    {
        let ids = ids.map(|ids| (ids.uid, ids.gid));
        writeln!(found, "  {hook:?} {argv:?} {user:?} {ids:?}").unwrap();
    }
}

/// The configuration in a few lines that do not change with the layout of its types.
fn describe(config: &Config, found: &mut String) {
    let Globals {
        router_id,
        startup_delay,
        mcast_group4,
        garp_interval,
        programs,
        startup_timeout,
        shutdown_timeout,
        states_on_reload,
        hotplug_keepalived,
        urgency,
    } = &config.globals;
    writeln!(
        found,
        "globals: router_id {router_id:?}, startup {startup_delay}, group {mcast_group4}, garp gap {garp_interval}"
    )
    .unwrap();
    if *urgency != Urgency::default() {
        writeln!(found, "{urgency:?}").unwrap();
    }
    for script in &config.scripts {
        let ids = script.ids.map(|ids| (ids.uid, ids.gid));
        let Script {
            name,
            command,
            interval,
            timeout,
            rise,
            fall,
            init_fail,
            ..
        } = &**script;
        let init = if *init_fail { " init_fail" } else { "" };
        writeln!(
            found,
            "script {name}: {command:?} of {ids:?} each {interval}, timeout {timeout} rise {rise} fall {fall}{init}"
        )
        .unwrap();
    }
    if !programs.is_empty() || *states_on_reload || *hotplug_keepalived {
        writeln!(
            found,
            "programs: start {startup_timeout}, end {shutdown_timeout}, states on reload {states_on_reload}, \
             keepalived's hotplug {hotplug_keepalived}"
        )
        .unwrap();
        list(programs, found);
    }
    for group in &config.groups {
        if !group.programs.is_empty() {
            writeln!(found, "group {}", group.name).unwrap();
            list(&group.programs, found);
        }
    }
    for Delay {
        interface,
        down,
        up,
    } in &config.delays
    {
        writeln!(found, "delays: {interface} down {down} up {up}").unwrap();
    }
    for vip in &config.vips {
        writeln!(found, "static{}", show(vip)).unwrap();
    }
    routes(&config.routes, found);
    for file in &config.files {
        let TrackFile { name, path, init } = &**file;
        let init = init.map(|InitFile { value, overwrite }| (value, overwrite));
        writeln!(found, "file {name}: {path}, initially {init:?}").unwrap();
    }
    for process in &config.processes {
        writeln!(
            found,
            "process {}: {:?} {}, {}–{}, fork {} terminate {}",
            process.name,
            process.compare,
            process.wanted.escape_ascii(),
            process.quorum,
            process.most,
            process.fork_delay,
            process.terminate_delay
        )
        .unwrap();
    }
    for Probe {
        name,
        check,
        interface,
        plan,
    } in config.probes.iter().map(|probe| &**probe)
    {
        writeln!(
            found,
            "probe {name}: {check} via {interface} every {} within {} rise {} fall {}",
            plan.interval, plan.timeout, plan.rise, plan.fall
        )
        .unwrap();
    }
    for instance in &config.instances {
        let settings = &instance.settings;
        writeln!(
            found,
            "{} on {} v{} vrid {} priority {} every {} down after {} preempt {} delay {}",
            instance.name,
            instance.interface,
            settings.version.number(),
            settings.vrid,
            settings.priority,
            settings.advert_interval,
            settings.down_timer_adverts,
            settings.preempt,
            settings.preempt_delay,
        )
        .unwrap();
        let auth = match settings.auth {
            Auth::Pass(bytes) => String::from_utf8_lossy(&bytes).escape_default().to_string(),
            _ => "none".into(),
        };
        writeln!(
            found,
            "  auth {auth}, checksum {:?}, skip check {}, source {:?}, {:?}, receive {:?}, lease {:?}",
            settings.checksum,
            settings.skip_check_adv_addr,
            instance.source,
            instance.garp_mode,
            instance.receive,
            instance.address_lease.map(|lease| lease.to_string()),
        )
        .unwrap();
        if !instance.accept {
            writeln!(found, "  no_accept").unwrap();
        }
        if !instance.programs.is_empty() || instance.notify_priority {
            writeln!(
                found,
                "  leaves within {}, tells priorities: {}",
                instance.leave_timeout, instance.notify_priority
            )
            .unwrap();
            list(&instance.programs, found);
        }
        let announce = &settings.announce;
        writeln!(
            found,
            "  announce {}×, again after {}; each {} {}×; lower priority {}×, again after {}",
            announce.master_repeat,
            announce.master_delay,
            announce.master_refresh,
            announce.master_refresh_repeat,
            announce.lower_prio_repeat,
            announce.lower_prio_delay,
        )
        .unwrap();
        if instance.group.is_some() || instance.ignores_link {
            writeln!(
                found,
                "  group {:?}, ignores its link: {}",
                instance.group, instance.ignores_link
            )
            .unwrap();
        }
        for Tracker {
            what,
            weight,
            reverse,
            uplink,
        } in &settings.trackers
        {
            write!(found, "  tracks {what}, weight {weight}, reverse {reverse}").unwrap();
            match uplink {
                None => found.push('\n'),
                Some(rules) => writeln!(found, ", through an uplink: {rules:?}").unwrap(),
            }
        }
        if !instance.uplinks.is_empty() {
            writeln!(
                found,
                "  uplinks {:?}, {:?}",
                instance.uplinks, instance.uplink_rules
            )
            .unwrap();
        }
        if let Some(unicast) = &settings.unicast {
            write!(
                found,
                "  unicast ttl {} check {} to",
                unicast.ttl, unicast.check_source
            )
            .unwrap();
            for peer in &unicast.peers {
                write!(found, " {} ({:?})", peer.address, peer.ttl).unwrap();
            }
            writeln!(found).unwrap();
        }
        for (vip, address) in instance.vips.iter().zip(settings.addresses.iter()) {
            assert_eq!(vip.address, *address);
        }
        for (place, vip) in instance.vips.iter().enumerate() {
            let advertised = place < settings.addresses.len();
            writeln!(
                found,
                "{}{}",
                show(vip),
                if advertised { "" } else { " excluded" }
            )
            .unwrap();
        }
        routes(&instance.routes, found);
    }
}

fn show(vip: &Vip) -> String {
    format!(
        "  {}/{} dev {:?} scope {} label {:?} broadcast {:?}",
        vip.address, vip.prefix_len, vip.dev, vip.scope, vip.label, vip.broadcast
    )
}

/// Routes and rules, without what is not there.
fn routes(items: &[Rc<Item>], found: &mut String) {
    for item in items {
        writeln!(found, "  {} {}", item.kind(), item.text).unwrap();
        match &item.what {
            What::Route(Route {
                to,
                kind,
                tos,
                scope,
                table,
                place,
                source,
                metric,
                preference,
                metrics,
                hops,
            }) => {
                writeln!(
                    found,
                    "    to {}/{} kind {kind} tos {tos} scope {scope} table {table} place {place:#x} src {source:?} \
                     metric {metric:?} pref {preference:?} metrics {metrics:?}",
                    to.address, to.len
                )
                .unwrap();
                for hop in hops {
                    writeln!(found, "    {hop:?}").unwrap();
                }
            }
            What::Rule(rule) => {
                let prefix = |p: Option<Prefix>| p.map(|p| format!("{}/{}", p.address, p.len));
                writeln!(
                    found,
                    "    {:?} from {:?} to {:?} not {} tos {} devs {:?} action {} {:?}",
                    rule.family,
                    prefix(rule.from),
                    prefix(rule.to),
                    rule.not,
                    rule.tos,
                    rule.devs,
                    rule.action,
                    rule.numbers
                )
                .unwrap();
            }
        }
    }
}

/// Each `tests/config/*.conf` and `*.uci` against the `.expected` beside it; UPDATE_EXPECT=1 rewrites them.
#[test]
fn the_corpus_means_what_stands_beside_it() {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(root().join("tests/config"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "conf" || extension == "uci")
        })
        .collect();
    paths.sort();
    assert!(paths.len() >= 10, "the corpus is missing");
    for path in paths {
        expect_file![path.with_extension("expected")].assert_eq(&verdict(&path));
    }
}

/// CONFIG.md is written from the table; UPDATE_CONFIG_MD=1 rewrites it.
#[test]
#[cfg(feature = "reference")]
fn the_reference_is_fresh() {
    let path = root().join("CONFIG.md");
    let fresh = vipd::config::reference::markdown();
    if std::env::var_os("UPDATE_CONFIG_MD").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == fresh,
        "CONFIG.md is stale: run `UPDATE_CONFIG_MD=1 cargo test --test config`"
    );
}
