//! `dhcp follow` and `ra follow`: where they may stand, and what /etc/config/dhcp has to say then.
#![allow(clippy::unwrap_used)]

use vipd::config::files::Memory;
use vipd::config::{Loaded, load_str, load_with};

/// A file of UCI with these sections behind `config globals`.
fn load(instances: &str, dhcp: Option<&str>) -> Loaded {
    let mut files = Memory::default();
    let text = format!("config globals\n{instances}");
    files.files.insert("/etc/config/vipd".into(), text.into());
    if let Some(dhcp) = dhcp {
        files.files.insert("/etc/config/dhcp".into(), dhcp.into());
    }
    load_with("/etc/config/vipd", &mut files).unwrap()
}

fn warnings(instances: &str, dhcp: Option<&str>) -> Vec<String> {
    let loaded = load(instances, dhcp);
    loaded.warnings.iter().map(ToString::to_string).collect()
}

const HOME: &str = "config vrrp_instance 'home'
\toption interface 'lan'
\toption virtual_router_id '50'
\toption version '3'
\tlist virtual_ipaddress '192.168.1.1'
\toption dhcp 'follow'
\toption ra 'follow'
";

/// As OpenWrt ships it.
const SHIPPED: &str = "config dnsmasq
\toption authoritative '1'

config dhcp 'lan'
\toption interface 'lan'
\toption start '100'
\toption limit '150'
\toption leasetime '12h'
\toption dhcpv4 'server'
\toption dhcpv6 'server'
\toption ra 'server'

config dhcp 'wan'
\toption interface 'wan'
\toption ignore '1'
";

#[test]
fn what_openwrt_s_servers_lack_is_told_with_the_command() {
    assert_eq!(
        warnings(HOME, Some(SHIPPED)),
        [
            "/etc/config/vipd:7:14: clients do not get 192.168.1.1 as their DNS server: run `uci add_list \
             dhcp.lan.dhcp_option='6,192.168.1.1'; uci commit dhcp; reload_config`",
            "/etc/config/vipd:7:14: clients do not get 192.168.1.1 as their gateway: run `uci add_list \
             dhcp.lan.dhcp_option='3,192.168.1.1'; uci commit dhcp; reload_config`",
            "/etc/config/vipd:7:14: the DHCP server does not start where it sees another: run `uci set \
             dhcp.lan.force=1; uci commit dhcp; reload_config`",
            "/etc/config/vipd:8:12: odhcpd sends router advertisements too: run `uci set \
             dhcp.lan.ra=disabled; uci commit dhcp; reload_config`",
        ]
    );
}

#[test]
fn servers_that_are_ready_are_not_told() {
    let ready = SHIPPED.replace("\toption ra 'server'\n", "\toption force 'yes'\n");
    for options in [
        "\tlist dhcp_option '3,192.168.1.1'\n\tlist dhcp_option '6,192.168.1.1'\n",
        "\toption dhcp_option 'option:router,192.168.1.1 6,9.9.9.9,192.168.1.1'\n",
    ] {
        let ready = ready.replace("\toption start", &format!("{options}\toption start"));
        assert_eq!(warnings(HOME, Some(&ready)), [""; 0], "{ready}");
        let disabled = ready.replace("\toption force", "\toption ra 'disabled'\n\toption force");
        assert_eq!(warnings(HOME, Some(&disabled)), [""; 0]);
    }
    let other = ready.replace(
        "\toption start",
        "\tlist dhcp_option '3,192.168.1.2'\n\toption start",
    );
    let told = warnings(HOME, Some(&other));
    assert!(told[1].contains("as their gateway"), "{told:?}");
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let none = "no section of /etc/config/dhcp has a server for the interface";
    let ignored = SHIPPED.replace("\toption start '100'", "\toption ignore 'on'");
    for dhcp in [
        "",
        "config dhcp 'lan'\n\toption interface 'guest'\n",
        &ignored,
    ] {
        let told = warnings(HOME, Some(dhcp));
        assert!(told[0].contains(none), "{told:?}");
    }
    // An anonymous section is called by its place.
    let anonymous = SHIPPED.replace("config dhcp 'lan'", "config dhcp");
    let told = warnings(HOME, Some(&anonymous));
    assert!(
        told[2].contains("uci set dhcp.@dhcp[0].force=1"),
        "{told:?}"
    );
}

#[test]
fn what_cannot_be_known_is_told() {
    let told = warnings(HOME, None);
    assert_eq!(
        told,
        [
            "/etc/config/vipd:7:14: it is not known what the servers do, for /etc/config/dhcp: No such file: see \
             \"DHCP and RA follow the Active\" in the README for what they need"
        ]
    );
    let told = warnings(HOME, Some("nonsense\n"));
    assert!(
        told[0].contains("/etc/config/dhcp:1:1: this is no"),
        "{told:?}"
    );
    // Nobody follows, so nobody asks.
    let off = HOME.replace("'follow'", "'off'");
    assert_eq!(warnings(&off, None), [""; 0]);
}

#[test]
fn of_two_families_dhcp_goes_with_ipv4_and_ra_with_ipv6() {
    let both = HOME.replace(
        "\toption dhcp",
        "\tlist virtual_ipaddress 'fe80::1'\n\toption dhcp",
    );
    let instances = load(&both, Some(SHIPPED)).config.instances;
    let follows: Vec<_> = instances.iter().map(|i| (&*i.name, i.dhcp, i.ra)).collect();
    assert_eq!(follows, [("home", true, false), ("home-6", false, true)]);
}

#[test]
fn one_instance_of_an_interface_decides() {
    let instance = |name: &str, interface: &str, line: &str| {
        format!(
            "vrrp_instance {name} {{\ninterface {interface}\nvirtual_router_id 1{}\n\
             virtual_ipaddress {{ 10.0.0.{} }}\n{line}\n}}\n",
            name.len(),
            name.len()
        )
    };
    let two =
        |second: &str, line| instance("A", "eth0", "dhcp follow") + &instance("BB", second, line);
    let failure = load_str("f", &two("eth0", "dhcp follow")).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "f:11:6: the interface follows the instance at f:5:6 already: leave it in one of the two"
    );
    for (second, line) in [
        ("eth1", "dhcp follow"),
        ("eth0", "ra follow"),
        ("eth0", "dhcp off"),
    ] {
        assert!(
            load_str("f", &two(second, line)).is_ok(),
            "{line} on {second}"
        );
    }
}
