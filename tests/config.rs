//! The configuration as a whole: the example, the corpus beside this file, the reference.

#![allow(clippy::unwrap_used)]

use expect_test::expect_file;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use vipd::config::files::Disk;
use vipd::config::model::{Config, Delay, Globals, Probe};
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
    };
    let (config, errors, warnings) = match load_with(path.to_str().unwrap(), &mut files) {
        Ok(Loaded { config, warnings }) => (Some(config), vec![], warnings),
        Err(Failure { errors, warnings }) => (None, errors, warnings),
    };
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

/// The configuration in a few lines that do not change with the layout of its types.
fn describe(config: &Config, found: &mut String) {
    let Globals {
        router_id,
        startup_delay,
        mcast_group4,
        garp_interval,
    } = &config.globals;
    writeln!(
        found,
        "globals: router_id {router_id:?}, startup {startup_delay}, group {mcast_group4}, garp gap {garp_interval}"
    )
    .unwrap();
    for Delay {
        interface,
        down,
        up,
    } in &config.delays
    {
        writeln!(found, "delays: {interface} down {down} up {up}").unwrap();
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
        } in &settings.trackers
        {
            writeln!(found, "  tracks {what}, weight {weight}, reverse {reverse}").unwrap();
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
        assert_eq!(settings.addresses.len(), instance.vips.len());
        for (vip, address) in instance.vips.iter().zip(settings.addresses.iter()) {
            assert_eq!(vip.address, *address);
            writeln!(
                found,
                "  {address}/{} dev {:?} scope {} label {:?} broadcast {:?}",
                vip.prefix_len, vip.dev, vip.scope, vip.label, vip.broadcast
            )
            .unwrap();
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
