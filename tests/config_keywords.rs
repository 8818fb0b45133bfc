//! Each keyword: known where keepalived knows it, and with the effect that CONFIG.md promises.

#![allow(clippy::unwrap_used)]

#[path = "config_keywords/limits.rs"]
mod limits;

use proptest::prelude::*;

use vipd::config::files::Memory;
use vipd::config::model::{Config, GarpMode, Instance, Macvlan, Receive, Urgency};
use vipd::config::{Failure, Loaded, MAX_INSTANCES, MAX_VIPS, load_str, load_with};
use vipd::vrrp::trial::Rules;
use vipd::vrrp::types::{Auth, ChecksumForm, ChecksumMode, Family, Version};

const MUST: &str = "interface eth0\nvirtual_router_id 1\nvirtual_ipaddress { 10.0.0.1 }\n";

/// A file with these lines in `global_defs` and in its one instance.
fn file(globals: &str, instance: &str) -> String {
    format!("global_defs {{\n{globals}\n}}\nvrrp_instance A {{\n{MUST}{instance}\n}}\n")
}

fn load(globals: &str, instance: &str) -> Loaded {
    let text = file(globals, instance);
    load_str("f", &text).unwrap_or_else(|failure| panic!("{failure}\n{text}"))
}

/// The same as [`file`] in UCI's spelling.
fn in_uci(globals: &str, instance: &str) -> String {
    let options = |lines: &str| -> String {
        let mut list: Option<String> = None;
        let option = |line: &str| {
            let (word, value) = line.split_once(' ').unwrap_or((line, "1"));
            match (&list, value) {
                (None, "{") if word.starts_with("virtual_") || word == "uplink" => {
                    list = Some(word.to_owned())
                }
                (Some(_), _) if word == "}" => list = None,
                (Some(list), _) => return format!("\tlist {list} '{line}'\n"),
                (None, _) if line.contains(['{', '}']) || line.is_empty() => {}
                (None, _) => return format!("\toption {word} '{value}'\n"),
            }
            String::new()
        };
        lines.lines().map(option).collect()
    };
    format!(
        "config globals\n{}config vrrp_instance 'A'\n{}\tlist virtual_ipaddress 10.0.0.1\n{}",
        options(globals),
        options(MUST),
        options(instance)
    )
}

fn messages(text: &str) -> Vec<String> {
    let all = match load_str("f", text) {
        Ok(loaded) => loaded.warnings,
        Err(Failure { errors, warnings }) => [errors, warnings].concat(),
    };
    all.iter().map(ToString::to_string).collect()
}

/// The words of ../shared/KEEPALIVED.md, spelled out, by block.
const KNOWN: &[(&str, &str)] = &[
    (
        "global_defs",
        "router_id script_user enable_script_security vrrp_version vrrp_garp_master_delay
         vrrp_garp_master_repeat vrrp_garp_master_refresh vrrp_garp_master_refresh_repeat
         vrrp_garp_lower_prio_delay vrrp_garp_lower_prio_repeat vrrp_garp_interval vrrp_gna_interval
         vrrp_startup_delay vrrp_strict vrrp_skip_check_adv_addr vrrp_check_unicast_src
         vrrp_mcast_group4 vrrp_mcast_group6 default_interface dynamic_interfaces notify_fifo
         notify_fifo_script vrrp_notify_fifo vrrp_notify_fifo_script startup_script shutdown_script
         reload_check_config vrrp_min_garp vrrp_garp_extra_if vrrp_down_timer_adverts
         vrrp_lower_prio_no_advert vrrp_higher_prio_send_advert vrrp_owner_ignore_adverts
         vrrp_notify_priority_changes v3_checksum_as_v2 fifo_write_vrrp_states_on_reload
         vrrp_delay_after_boot log_unknown_vrids vmac_prefix disable_local_igmp vrrp_iptables nftables
         vrrp_priority vrrp_rt_priority vrrp_no_swap vrrp_cpu_affinity vrrp_netlink_cmd_rcv_bufs
         vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs
         vrrp_netlink_monitor_rcv_bufs_force snmp_socket enable_snmp_vrrp enable_snmp_checker
         enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3 enable_traps enable_dbus
         notification_email notification_email_from smtp_server smtp_helo_name smtp_connect_timeout
         smtp_alert smtp_alert_vrrp smtp_alert_checker no_email_faults no_checker_emails",
    ),
    (
        "vrrp_instance A",
        "state interface virtual_router_id priority advert_int virtual_ipaddress authentication
         nopreempt track_interface track_script unicast_src_ip unicast_peer notify notify_master
         notify_backup notify_fault virtual_ipaddress_excluded virtual_routes virtual_rules preempt
         preempt_delay version accept no_accept use_vmac vmac_xmit_base dont_track_primary
         mcast_src_ip garp_master_delay garp_master_repeat garp_master_refresh
         garp_master_refresh_repeat garp_lower_prio_delay garp_lower_prio_repeat track_file
         track_process track_bfd notify_stop debug promote_secondaries smtp_alert use_vmac_addr
         use_ipvlan unicast_fault_no_peer check_unicast_src native_ipv6 vrf mcast_dst_ip track_src_ip
         unicast_ttl no_virtual_ipaddress linkbeat_use_polling skip_check_adv_addr strict_mode
         notify_deleted notify_master_rx_lower_pri notify_priority_changes lvs_sync_daemon_interface
         down_timer_adverts garp_extra_if kernel_rx_buf_size auth_hmac lower_prio_no_advert
         higher_prio_send_advert",
    ),
    (
        "vrrp_sync_group G",
        "group notify_master notify_backup notify_fault notify_stop notify track_interface
         track_script track_file track_process track_bfd sync_group_tracking_weight global_tracking
         notify_priority_changes smtp_alert",
    ),
    ("vrrp_script S", "script interval weight rise fall timeout user init_fail"),
    ("track_file F", "file weight init_file"),
    ("vrrp_track_file F", "file weight init_file"),
    (
        "vrrp_track_process P",
        "process weight quorum quorum_max delay fork_delay terminate_delay param_match full_command",
    ),
    (
        "",
        "global_defs vrrp_instance vrrp_sync_group vrrp_script track_file vrrp_track_file
         vrrp_track_process static_ipaddress static_routes static_rules interface_up_down_delays
         garp_group bfd_instance track_group linkbeat_interfaces net_namespace instance
         virtual_server virtual_server_group",
    ),
];

#[test]
fn every_word_of_keepalived_s_is_known_where_it_stands() {
    for (block, words) in KNOWN {
        for word in words.split_whitespace() {
            let text = match *block {
                "" => format!("{word} x {{\n}}\n"),
                block => format!("{block} {{\n{word} {{\n}}\n}}\n"),
            };
            let unknown: Vec<String> = messages(&text)
                .into_iter()
                .filter(|message| message.contains(": unknown "))
                .collect();
            assert!(unknown.is_empty(), "{unknown:?}");
        }
    }
}

#[test]
fn auth_hmac_and_its_words_are_known() {
    let text =
        "auth_hmac {\nkey 1 x\nactive_key 1\ntime_window 5\nanti_replay time\nmode enforce\n}";
    assert_eq!(load("", text).warnings.len(), 1);
}

#[test]
fn a_word_that_is_not_supported_costs_one_warning_and_runs() {
    let words = "vrf x\nvrf y\nmcast_dst_ip \"a b\" c\ntrack_bfd {\na weight 3\n}";
    let Loaded { config, warnings } = load("smtp_alert\nvrrp_iptables a b", words);
    assert_eq!(config.instances.len(), 1);
    let shown: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(shown.len(), 5, "{shown:#?}");
    assert!(
        shown[2].starts_with(
            "f:9:1: `vrf` is not supported yet by vipd (here and at one more place): "
        )
    );
}

/// The macvlans of an instance, as `ip link` shows them.
fn macvlans(instance: &Instance) -> String {
    let shown = |m: &Macvlan| format!("{}@{}", m.name, m.base);
    instance
        .macvlans
        .iter()
        .map(shown)
        .collect::<Vec<_>>()
        .join(" ")
}

type Check = (&'static str, &'static str, fn(&Instance) -> bool);

/// `global_defs` line, instance line, what it makes of the instance.
const INSTANCE_ROWS: &[Check] = &[
    ("", "", |i| i.settings.priority == 100),
    ("", "state BACKUP", |i| i.settings.priority == 100),
    ("", "state MASTER", |i| i.settings.priority == 255),
    ("", "state MASTER\npriority 50", |i| {
        i.settings.priority == 50
    }),
    ("", "priority 1", |i| i.settings.priority == 1),
    ("", "priority 255", |i| i.settings.priority == 255),
    ("", "", |i| i.settings.version == Version::V2),
    ("vrrp_version 3", "", |i| i.settings.version == Version::V3),
    ("vrrp_version 3", "version 2", |i| {
        i.settings.version == Version::V2
    }),
    ("", "", |i| i.settings.advert_interval.as_secs() == 1),
    ("", "advert_int 255", |i| {
        i.settings.advert_interval.as_secs() == 255
    }),
    ("", "advert_int 2.0", |i| {
        i.settings.advert_interval.as_secs() == 2
    }),
    ("", "version 3\nadvert_int 0.01", |i| {
        i.settings.advert_interval.as_centis() == 1
    }),
    ("", "version 3\nadvert_int 40.95", |i| {
        i.settings.advert_interval.as_centis() == 4095
    }),
    ("", "", |i| i.settings.auth == Auth::None),
    (
        "",
        "authentication {\nauth_type PASS\nauth_pass abc\n}",
        |i| i.settings.auth == Auth::Pass(*b"abc\0\0\0\0\0"),
    ),
    (
        "",
        "authentication {\nauth_type PASS\nauth_pass 123456789\n}",
        |i| i.settings.auth == Auth::Pass(*b"12345678"),
    ),
    (
        "",
        "version 3\nauthentication {\nauth_type PASS\nauth_pass abc\n}",
        |i| i.settings.auth == Auth::None,
    ),
    ("", "", |i| i.settings.preempt),
    ("", "nopreempt", |i| !i.settings.preempt),
    ("", "nopreempt on", |i| !i.settings.preempt),
    ("", "nopreempt no", |i| i.settings.preempt),
    ("", "preempt off", |i| !i.settings.preempt),
    ("", "nopreempt\npreempt", |i| i.settings.preempt),
    ("", "state MASTER\nnopreempt", |i| i.settings.preempt),
    ("", "preempt_delay 4.25", |i| {
        i.settings.preempt_delay.as_millis() == 4250
    }),
    ("", "preempt_delay 4\nstate MASTER", |i| {
        i.settings.preempt_delay.is_zero()
    }),
    ("", "preempt_delay 4\nnopreempt", |i| {
        i.settings.preempt_delay.is_zero()
    }),
    ("", "", |i| !i.vmac_adverts && macvlans(i).is_empty()),
    ("", "use_vmac", |i| {
        i.vmac_adverts && macvlans(i) == "vrrp.1@eth0" && i.vips[0].dev.as_deref() == Some("vrrp.1")
    }),
    ("", "use_vmac lan-vip\nvmac_xmit_base", |i| {
        !i.vmac_adverts && macvlans(i) == "lan-vip@eth0"
    }),
    ("", "use_vmac\nvmac_xmit_base off", |i| i.vmac_adverts),
    ("", "use_vmac\nunicast_fault_no_peer", |i| !i.vmac_adverts),
    ("", "mcast_src_ip 10.0.0.9", |i| {
        i.source == Some([10, 0, 0, 9].into())
    }),
    ("", "", |i| !i.settings.skip_check_adv_addr),
    ("vrrp_skip_check_adv_addr", "", |i| {
        i.settings.skip_check_adv_addr
    }),
    ("vrrp_skip_check_adv_addr", "skip_check_adv_addr off", |i| {
        !i.settings.skip_check_adv_addr
    }),
    ("", "skip_check_adv_addr yes", |i| {
        i.settings.skip_check_adv_addr
    }),
    ("", "", |i| i.settings.down_timer_adverts == 3),
    ("vrrp_down_timer_adverts 100", "", |i| {
        i.settings.down_timer_adverts == 100
    }),
    ("vrrp_down_timer_adverts 9", "down_timer_adverts 1", |i| {
        i.settings.down_timer_adverts == 1
    }),
    ("", "", |i| i.settings.checksum == ChecksumMode::Auto),
    ("v3_checksum_as_v2", "", |i| {
        i.settings.checksum == ChecksumMode::Fixed(ChecksumForm::Message)
    }),
    ("v3_checksum_as_v2", "v3_checksum_as_v2 off", |i| {
        i.settings.checksum == ChecksumMode::Fixed(ChecksumForm::PseudoHeader)
    }),
    ("v3_checksum rfc9568", "", |i| {
        i.settings.checksum == ChecksumMode::Fixed(ChecksumForm::Message)
    }),
    ("v3_checksum rfc9568", "v3_checksum auto", |i| {
        i.settings.checksum == ChecksumMode::Auto
    }),
    ("", "v3_checksum rfc5798", |i| {
        i.settings.checksum == ChecksumMode::Fixed(ChecksumForm::PseudoHeader)
    }),
    ("", "", |i| i.settings.announce.master_delay.as_secs() == 5),
    ("vrrp_garp_master_delay 0", "", |i| {
        i.settings.announce.master_delay.is_zero()
    }),
    ("vrrp_garp_master_delay 3", "garp_master_delay 2.5", |i| {
        i.settings.announce.master_delay.as_millis() == 2500
    }),
    ("", "", |i| i.settings.announce.master_repeat == 5),
    ("vrrp_garp_master_repeat 255", "", |i| {
        i.settings.announce.master_repeat == 255
    }),
    ("vrrp_garp_master_repeat 2", "garp_master_repeat 0", |i| {
        i.settings.announce.master_repeat == 1
    }),
    ("", "", |i| i.settings.announce.master_refresh.is_zero()),
    ("vrrp_garp_master_refresh 60", "", |i| {
        i.settings.announce.master_refresh.as_secs() == 60
    }),
    (
        "vrrp_garp_master_refresh 60",
        "garp_master_refresh 0",
        |i| i.settings.announce.master_refresh.is_zero(),
    ),
    ("", "", |i| i.settings.announce.master_refresh_repeat == 1),
    ("vrrp_garp_master_refresh_repeat 4", "", |i| {
        i.settings.announce.master_refresh_repeat == 4
    }),
    ("", "garp_master_refresh_repeat 3", |i| {
        i.settings.announce.master_refresh_repeat == 3
    }),
    ("", "", |i| {
        i.settings.announce.lower_prio_delay.as_secs() == 5
    }),
    ("", "garp_master_delay 7", |i| {
        i.settings.announce.lower_prio_delay.as_secs() == 7
    }),
    ("vrrp_garp_lower_prio_delay 9", "garp_master_delay 7", |i| {
        i.settings.announce.lower_prio_delay.as_secs() == 9
    }),
    (
        "vrrp_garp_lower_prio_delay 9",
        "garp_lower_prio_delay 0",
        |i| i.settings.announce.lower_prio_delay.is_zero(),
    ),
    ("", "garp_master_repeat 2", |i| {
        i.settings.announce.lower_prio_repeat == 2
    }),
    ("vrrp_garp_lower_prio_repeat 8", "", |i| {
        i.settings.announce.lower_prio_repeat == 8
    }),
    ("", "garp_lower_prio_repeat 0", |i| {
        i.settings.announce.lower_prio_repeat == 0
    }),
    ("vrrp_min_garp", "", |i| {
        i.settings.announce.master_repeat == 1 && i.settings.announce.master_delay.is_zero()
    }),
    ("vrrp_min_garp", "garp_master_repeat 3", |i| {
        i.settings.announce.master_repeat == 3
    }),
    ("", "", |i| i.garp_mode == GarpMode::Request),
    ("garp_mode reply", "", |i| i.garp_mode == GarpMode::Reply),
    ("garp_mode reply", "garp_mode both", |i| {
        i.garp_mode == GarpMode::Both
    }),
    ("garp_mode reply", "garp_mode request", |i| {
        i.garp_mode == GarpMode::Request
    }),
    ("", "", |i| i.receive == Receive::Auto),
    ("receive raw", "", |i| i.receive == Receive::Raw),
    ("receive raw", "receive packet", |i| {
        i.receive == Receive::Packet
    }),
    ("receive raw", "receive auto", |i| {
        i.receive == Receive::Auto
    }),
    ("", "", |i| {
        let Rules { timeout, hold_down } = i.uplink_rules;
        i.uplinks.is_empty() && (timeout.as_secs(), hold_down.as_secs()) == (60, 300)
    }),
    (
        "",
        "uplink {\nwan\nwan6\n}\nuplink_timeout 30\nuplink_hold_down 90",
        |i| {
            let Rules { timeout, hold_down } = i.uplink_rules;
            let times = (timeout.as_secs(), hold_down.as_secs());
            i.uplinks.iter().map(|name| &**name).eq(["wan", "wan6"]) && times == (30, 90)
        },
    ),
    ("", "", |i| i.address_lease.is_none()),
    ("address_lease 2", "", |i| {
        i.address_lease.is_some_and(|lease| lease.as_secs() == 2)
    }),
    ("address_lease 2", "address_lease 0", |i| {
        i.address_lease.is_none()
    }),
    ("", "", |i| !i.dhcp && !i.ra),
    ("", "dhcp follow", |i| i.dhcp && !i.ra),
    ("", "ra follow", |i| i.ra && !i.dhcp),
    ("", "dhcp follow\ndhcp off\nra off", |i| !i.dhcp && !i.ra),
    ("default_interface eth9", "", |i| &*i.interface == "eth0"),
    ("", "", |i| i.accept),
    ("", "no_accept", |i| !i.accept),
    ("", "no_accept off", |i| i.accept),
    ("", "no_accept\naccept", |i| i.accept),
    ("", "no_accept\npriority 255", |i| i.accept),
    ("", "strict_mode", |i| !i.accept),
    ("vrrp_strict", "", |i| !i.accept),
    ("vrrp_strict", "strict_mode off", |i| i.accept),
    ("vrrp_strict", "state MASTER", |i| i.accept),
    ("vrrp_strict", "accept", |i| !i.accept),
    ("vrrp_strict", "accept\nversion 3", |i| i.accept),
    ("vrrp_strict", "accept\nversion 3\nno_accept", |i| !i.accept),
    ("", "strict_mode", |i| {
        i.settings.announce.lower_prio_repeat == 0
    }),
    (
        "vrrp_strict\nvrrp_garp_lower_prio_repeat 8",
        "garp_master_repeat 4",
        |i| i.settings.announce.lower_prio_repeat == 0,
    ),
    (
        "",
        "virtual_ipaddress_excluded {\n10.0.0.2/24\nfd00::1 dev eth1\n}",
        |i| i.settings.addresses.len() == 1 && i.vips.len() == 3 && i.vips[1].prefix_len == 24,
    ),
    ("", "virtual_routes {\ndefault via 10.0.0.9\n}", |i| {
        i.routes.len() == 1 && i.routes[0].kind() == "route"
    }),
    (
        "",
        "virtual_rules {\nfrom all table 1\ninet6 table 1\n}",
        |i| i.routes.len() == 2 && i.routes[1].family() == Family::V6,
    ),
    ("vrrp_strict", "preempt_delay 4", |i| {
        i.settings.preempt_delay.is_zero()
    }),
    // keepalived starts as BACKUP then, so that `nopreempt` counts.
    ("vrrp_strict", "state MASTER\npriority 50\nnopreempt", |i| {
        !i.settings.preempt
    }),
    (
        "vrrp_strict",
        "authentication {\nauth_type PASS\nauth_pass abc\n}",
        |i| i.settings.auth == Auth::None,
    ),
];

#[test]
fn each_word_has_its_effect_on_the_instance() {
    for (globals, line, check) in INSTANCE_ROWS {
        let Loaded { config, .. } = load(globals, line);
        assert!(
            check(&config.instances[0]),
            "{globals:?} {line:?}: {config:#?}"
        );
        let text = in_uci(globals, line);
        let uci = load_str("f", &text).unwrap_or_else(|failure| panic!("{failure}\n{text}"));
        let uci = Config {
            dialect: config.dialect,
            ..uci.config
        };
        assert_eq!(uci, config, "{text}");
    }
}

#[test]
fn the_macvlans_of_addresses_elsewhere() {
    let of = |lines: &str| {
        let instance = load("", lines).config.instances.remove(0);
        let devices = instance.vips.iter().map(|vip| vip.dev.as_deref());
        let devices: Vec<_> = devices.map(|dev| dev.unwrap_or("-")).collect();
        (
            macvlans(&instance),
            devices.join(" "),
            instance.vmac_adverts,
        )
    };
    let expected = |macvlans: &str, devices: &str, adverts: bool| {
        (macvlans.to_owned(), devices.to_owned(), adverts)
    };
    let own = "use_vmac\nvirtual_ipaddress { 10.0.0.2 dev eth0 10.0.1.1 dev eth1 }";
    assert_eq!(of(own), expected("vrrp.1@eth0", "vrrp.1 vrrp.1 eth1", true));
    let all =
        "use_vmac\nuse_vmac_addr\nvirtual_ipaddress { 10.0.1.1 dev eth1 10.0.2.1 dev vrrp2.1 }";
    let macvlans = "vrrp.1@eth0 vrrp1.1@eth1 vrrp3.1@vrrp2.1";
    assert_eq!(of(all), expected(macvlans, "vrrp.1 vrrp1.1 vrrp3.1", true));
    let one = "virtual_ipaddress { 10.0.1.1 dev eth1 use_vmac 10.0.1.2 dev eth1 }";
    assert_eq!(of(one), expected("vrrp.1@eth1", "- vrrp.1 eth1", false));
    let first = "use_vmac vrrp.9 priority 90\nvirtual_ipaddress { fe80::1 }";
    let text = file("", first).replace("10.0.0.1", "fe80::2/64");
    let loaded = load_str("f", &text).unwrap();
    let instance = &loaded.config.instances[0];
    assert_eq!(
        (instance.settings.priority, &*instance.macvlans[0].name),
        (90, "vrrp.9")
    );
    let prefixes: Vec<u8> = instance.vips.iter().map(|vip| vip.prefix_len).collect();
    assert_eq!(prefixes, [64, 64]);
}

#[test]
fn each_global_word_has_its_effect() {
    type Row = (&'static str, fn(&Config) -> bool);
    let rows: &[Row] = &[
        ("", |c| c.globals.router_id.is_none()),
        ("router_id \"gw a\"", |c| {
            c.globals.router_id.as_deref() == Some("gw a")
        }),
        ("", |c| c.globals.startup_delay.is_zero()),
        ("", |c| c.globals.urgency == Urgency::default()),
        ("vrrp_priority -20", |c| c.globals.urgency.nice == Some(-20)),
        ("vrrp_priority 19", |c| c.globals.urgency.nice == Some(19)),
        ("vrrp_rt_priority 99", |c| {
            c.globals.urgency.realtime == Some(99)
        }),
        ("vrrp_no_swap", |c| c.globals.urgency.no_swap),
        ("vrrp_startup_delay 5.5", |c| {
            c.globals.startup_delay.as_millis() == 5500
        }),
        ("", |c| c.globals.mcast_group4.octets() == [224, 0, 0, 18]),
        ("vrrp_mcast_group4 224.0.0.99", |c| {
            c.globals.mcast_group4.octets() == [224, 0, 0, 99]
        }),
        ("", |c| c.globals.garp_interval.is_zero()),
        ("vrrp_garp_interval 0.000001", |c| {
            c.globals.garp_interval.as_micros() == 1
        }),
    ];
    for (line, check) in rows {
        let Loaded { config, warnings } = load(line, "");
        assert!(check(&config), "{line:?}: {:#?}", config.globals);
        assert_eq!(warnings, []);
    }
}

#[test]
fn the_default_interface_is_for_instances_that_name_none() {
    let text = "global_defs { default_interface eth9 }\n\
                vrrp_instance A { virtual_router_id 1 virtual_ipaddress { 10.0.0.1 } }";
    let loaded = load_str("f", text).unwrap();
    assert_eq!(&*loaded.config.instances[0].interface, "eth9");
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_without_a_line() {
    let failure = vipd::config::load("/nonexistent/vipd.conf").unwrap_err();
    assert_eq!(
        failure.to_string(),
        "/nonexistent/vipd.conf: cannot read it (No such file or directory (ENOENT)): \
         correct the name or the permissions"
    );
}

#[test]
fn a_forgotten_brace_is_told_where_it_is_noticed() {
    let text = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\nnotify /x\n}\n";
    assert_eq!(
        messages(text),
        [
            "f:1:17: this block is not closed before the end of the file: add a `}` where it ends",
            "f:6:1: `notify` is not an address: close the `virtual_ipaddress` block in front of it with `}`",
        ]
    );
}

#[test]
fn a_password_that_others_may_read_is_told_once() {
    let password = "authentication {\nauth_type PASS\nauth_pass secret\n}";
    let text = file("", password)
        + &file("", password)
            .replace("_instance A", "_instance B")
            .replace("10.0.0.1", "10.0.0.2");
    let text = text
        .replace("global_defs {\n\n}\n", "")
        .replacen("_id 1", "_id 2", 1);
    let mut files = Memory {
        open: vec!["/etc/v.conf".into()],
        ..Memory::default()
    };
    for (name, told) in [("/etc/v.conf", true), ("/etc/w.conf", false)] {
        files.files.insert(name.into(), text.clone().into_bytes());
        let warnings = load_with(name, &mut files).unwrap().warnings;
        let shown: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        let expected =
            ["/etc/v.conf:7:11: others may read this password: run `chmod 600 /etc/v.conf`"];
        assert_eq!(shown, expected[..usize::from(told)]);
    }
    files
        .files
        .insert("/etc/v.conf".into(), file("", "").into_bytes());
    assert_eq!(load_with("/etc/v.conf", &mut files).unwrap().warnings, []);
}

proptest! {
    /// However the lines around it are broken, a password is never printed.
    #[test]
    fn a_password_is_never_printed(password in "[A-Z][a-z0-9]{5,12}[A-Z]", shape in 0..9usize) {
        let lines = [
            format!("authentication {{\nauth_type PASS\nauth_pass {password}\n}}"),
            format!("authentication {{\nauth_type PASS\nauth_pass x {password}\n}}"),
            format!("authentication {{\nauth_type PASS\nauth_pass {password} {{\n}}\n}}"),
            format!("authentication {{\nauth_type PASS\nauth_pas {password}\n}}"),
            format!("authentication {{\nauth_type PASS\nauth_pass\n{password}\n}}"),
            format!("authentication {{\nauth_type PASS\nauth_pass \"{password}\n}}"),
            format!("authentication {{\nauth_type PASS\nauth_pass{password}\n}}"),
            format!("auth_pass {password}"),
            format!("auth_hmac {{\nkey 1 {password}\n{password} {password}\n}}"),
        ];
        for message in messages(&file("", &lines[shape])) {
            prop_assert!(!message.contains(&password), "{}", message);
        }
    }
}
