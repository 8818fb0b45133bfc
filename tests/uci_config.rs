//! What a UCI file means: the same as the keepalived.conf that says so, with UCI's own spelling.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use vipd::config::files::Memory;
use vipd::config::model::{Config, Dialect};
use vipd::config::{Diagnostic, Failure, Loaded, load_bytes, load_str, load_with};
use vipd::vrrp::types::Auth;

const MUST: &str =
    "\toption interface lan\n\toption virtual_router_id 1\n\tlist virtual_ipaddress 10.0.0.1\n";

fn load(text: &str) -> Config {
    let loaded = load_str("f", text).unwrap_or_else(|failure| panic!("{failure}\n{text}"));
    assert_eq!(loaded.config.dialect, Dialect::Uci);
    loaded.config
}

/// One instance with what it must have and these lines.
fn instance(lines: &str) -> String {
    format!("config vrrp_instance A\n{MUST}{lines}\n")
}

fn messages(text: &str) -> Vec<String> {
    let all = match load_str("f", text) {
        Ok(loaded) => loaded.warnings,
        Err(Failure { errors, warnings }) => [errors, warnings].concat(),
    };
    all.iter().map(ToString::to_string).collect()
}

/// As if keepalived.conf had said it.
fn translated(loaded: Loaded) -> (Config, Vec<(String, String)>) {
    let mut config = loaded.config;
    config.dialect = Dialect::Keepalived;
    let said = |found: &Diagnostic| (found.message.clone(), found.help.clone());
    // Who may read them depends on the umask of whoever has checked them out.
    let of_text = loaded
        .warnings
        .iter()
        .filter(|found| !found.help.contains("chmod"));
    (config, of_text.map(said).collect())
}

#[test]
fn every_type_of_section_means_what_keepalived_conf_means() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config");
    let load = |name: &str| vipd::config::load(&format!("{folder}/{name}")).unwrap();
    let (uci, conf) = (load("uci-every.uci"), load("uci-every-same.conf"));
    assert_eq!(uci.config.dialect, Dialect::Uci);
    assert_eq!(conf.config.dialect, Dialect::Keepalived);
    assert!(uci.warnings.len() > 5, "the words that are skipped");
    assert_eq!(translated(uci), translated(conf));
}

#[test]
fn booleans_are_those_of_openwrt() {
    for on in ["1", "on", "true", "yes", "enabled"] {
        let config = load(&instance(&format!("\toption nopreempt {on}")));
        assert!(!config.instances[0].settings.preempt, "{on}");
    }
    for off in ["0", "off", "false", "no", "disabled"] {
        let config = load(&instance(&format!("\toption nopreempt {off}")));
        assert!(config.instances[0].settings.preempt, "{off}");
    }
    assert_eq!(
        messages(&instance("\toption nopreempt ON")),
        ["f:5:19: `ON` is neither on nor off: write `option nopreempt '1'`, or '0'"]
    );
}

#[test]
fn a_skipped_word_that_is_off_is_not_told_of() {
    assert_eq!(messages(&instance("\toption use_ipvlan 0")), [""; 0]);
    assert_eq!(messages(&instance("\toption use_ipvlan 1")).len(), 1);
    assert_eq!(messages(&instance("\toption use_ipvlan eth0")).len(), 1);
}

#[test]
fn use_vmac_is_a_boolean_or_a_name() {
    for (value, expected) in [
        ("0", None),
        ("1", Some("vrrp.1")),
        ("lan-vip", Some("lan-vip")),
    ] {
        let config = load(&instance(&format!("\toption use_vmac {value}")));
        let macvlan = config.instances[0].macvlans.first();
        assert_eq!(macvlan.map(|m| &*m.name), expected, "{value}");
    }
}

#[test]
fn an_instance_is_called_by_its_option_or_its_section() {
    let rows = [
        ("config vrrp_instance 'a'", "", "a"),
        ("config vrrp_instance 'a'", "\toption name 'b c'\n", "b c"),
        (
            "config vrrp_instance",
            "\toption name 'priority'\n",
            "priority",
        ),
    ];
    for (section, name, expected) in rows {
        let config = load(&format!("{section}\n{MUST}{name}"));
        assert_eq!(&*config.instances[0].name, expected);
        assert_eq!(&*config.instances[0].interface, "lan", "as written");
    }
}

#[test]
fn an_instance_that_is_off_is_left_out() {
    let off = "config vrrp_instance B\n\toption enabled 0\n\toption nonsense 1\n";
    let config = load(&format!("{off}{}", instance("\toption enabled 1")));
    assert_eq!(config.instances.len(), 1);
    assert_eq!(&*config.instances[0].name, "A");
    // That one is for the init script.
    let config = load(&instance("config globals\n\toption enabled 0"));
    assert_eq!(config.instances.len(), 1);
}

#[test]
fn an_address_stands_in_the_list_or_in_a_section_before_or_behind_it() {
    let rows = [
        "\tlist virtual_ipaddress '10.0.0.2/24 dev eth1'",
        "\tlist virtual_ipaddress v\nconfig ipaddress v\n\toption address 10.0.0.2/24\n\toption device eth1\n\toption label_suffix 1",
        "\tlist virtual_ipaddress v\nconfig ipaddress\n\toption name v\n\toption address '10.0.0.2/24 dev eth1'",
        "\tlist virtual_ipaddress u\nconfig ipaddress u\n\toption name v\n\toption address '10.0.0.2/24 dev eth1'",
        "\toption virtual_ipaddress 'w v'\nconfig ipaddress v\n\toption address '10.0.0.2/24 dev eth1'\nconfig ipaddress w\n\toption address 10.0.0.1",
        // What stands behind an address belongs to it.
        "\tlist virtual_ipaddress '10.0.0.2/24 dev eth1'\nconfig ipaddress dev\nconfig ipaddress eth1",
    ];
    for (index, lines) in rows.iter().enumerate() {
        let config = load(&instance(lines));
        let vips = &config.instances[0].vips;
        assert_eq!(vips.len(), 2, "{lines}");
        assert_eq!(vips[1].address.to_string(), "10.0.0.2", "{lines}");
        assert_eq!(vips[1].prefix_len, 24, "{lines}");
        assert_eq!(vips[1].dev.as_deref(), Some("eth1"), "{lines}");
        let label = if index == 1 { Some("eth1:1") } else { None };
        assert_eq!(vips[1].label.as_deref(), label, "{lines}");
    }
}

#[test]
fn what_luci_writes_for_other_programs_is_left_to_them() {
    let peer = "config peer\n\toption name p\n\toption address 10.0.0.9\n\toption sync 1\n\toption sync_mode receive\n\
                \toption ssh_pubkey 'ssh-rsa AAAA a\n'\nconfig vrrp_script\n\toption name s\n\toption script /bin/true\n\toption fail 3";
    let found = messages(&instance(peer));
    assert_eq!(found.len(), 5, "{found:#?}");
    assert_eq!(
        found[0],
        "f:8:9: `sync` has no effect in vipd: no files are copied between the routers"
    );
    assert_eq!(
        found[4],
        "f:15:9: `fail` has no effect in vipd: OpenWrt's keepalived does not read it either: write `fall`"
    );
    // Neither does it take an authentication without a password.
    let config = load(&instance("\toption auth_type AH"));
    assert_eq!(config.instances[0].settings.auth, Auth::None);
}

#[test]
fn an_error_is_where_it_stands_in_the_uci_file() {
    let rows: &[(&str, &str)] = &[
        (
            "\tlist virtual_ipaddress '10.0.0.2/24  dev   eth1/x'",
            "f:5:45: `eth1/x` is not the name of an interface: write a name without `/` and blanks",
        ),
        (
            "\tlist virtual_ipaddress v\nconfig ipaddress 'v'\n\toption address \"10.0.0.2/\"'99'",
            "f:7:18: `99` is not a prefix length: write a number from 1 to 32 behind the slash",
        ),
        (
            "\tlist virtual_ipaddress v\nconfig ipaddress v\n\toption address 10.0.0.2\n\toption device a.name.that.is.too.long",
            "f:8:16: `a.name.that.is.too.long` is not the name of an interface: write a name of 1 to 15 bytes",
        ),
        (
            "\toption priority \\\n0",
            "f:5:18: `0` is out of range: write `option priority '1–255'`",
        ),
        (
            "\toption äpriority 1",
            "f:5:9: this is not the name of an option: write letters, digits and `_`",
        ),
        (
            "\toption priority 'ä' x",
            "f:5:22: this is one word too many: remove it, or put quotes around a value with blanks",
        ),
        (
            "\toption router_id x",
            "f:5:9: unknown option `router_id` in `vrrp_instance`: it belongs into `globals`",
        ),
        (
            "config vrrp_instances",
            "f:5:8: unknown type of section `vrrp_instances`: write `config vrrp_instance`",
        ),
    ];
    for (lines, expected) in rows {
        assert_eq!(messages(&instance(lines)), [*expected]);
    }
}

#[test]
fn the_dialect_is_told_by_the_folder_or_the_first_statement() {
    let uci = |name: &str, text: &str| {
        let mut files = Memory::default();
        let found = load_bytes(name, text.as_bytes(), &mut files);
        found
            .map(|loaded| loaded.config.dialect)
            .map_err(|failure| failure.to_string())
    };
    let conf =
        "vrrp_instance A { interface lan virtual_router_id 1 virtual_ipaddress { 10.0.0.1 } }\n";
    assert_eq!(uci("f", conf), Ok(Dialect::Keepalived));
    assert_eq!(uci("f", &instance("")), Ok(Dialect::Uci));
    let commented = format!("\n  # config\n#\r\n\t{}", instance(""));
    assert_eq!(uci("f", &commented), Ok(Dialect::Uci));
    assert_eq!(
        uci("f", &format!("package 'vipd'\n{}", instance(""))),
        Ok(Dialect::Uci)
    );
    assert_eq!(
        uci("f", &format!("# config\n{conf}")),
        Ok(Dialect::Keepalived)
    );
    // In its folder a file is UCI whatever it says.
    let wrong = uci("/etc/config/vipd", conf).unwrap_err();
    assert!(
        wrong.starts_with("/etc/config/vipd:1:1: this is no statement of UCI: "),
        "{wrong}"
    );
    let empty = uci("/etc/config/vipd", "").unwrap_err();
    assert!(
        empty.ends_with("add `config vrrp_instance 'NAME'`, or set its `enabled` to 1"),
        "{empty}"
    );
}

#[test]
fn alt_config_file_names_the_keepalived_conf_that_counts() {
    let conf =
        "vrrp_instance B { interface eth0 virtual_router_id 2 virtual_ipaddress { 10.0.0.2 } }";
    let uci = format!(
        "config globals 'globals'\n\toption alt_config_file /etc/k.conf\n{}",
        instance("")
    );
    let mut files = Memory::default();
    files
        .files
        .insert("/etc/config/keepalived".into(), uci.into_bytes());
    let without = load_with("/etc/config/keepalived", &mut files).unwrap();
    assert_eq!(&*without.config.instances[0].name, "A");
    assert_eq!(without.config.dialect, Dialect::Uci);
    let told: Vec<String> = without.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "/etc/config/keepalived:2:25: cannot read `/etc/k.conf` (No such file): \
          the sections of this file count instead; correct the name, or remove it"
        ]
    );
    files.files.insert("/etc/k.conf".into(), conf.into());
    let with = load_with("/etc/config/keepalived", &mut files).unwrap();
    assert_eq!(&*with.config.instances[0].name, "B");
    assert_eq!(with.config.dialect, Dialect::Keepalived);
    files.files.insert("/etc/k.conf".into(), "nonsense".into());
    let failure = load_with("/etc/config/keepalived", &mut files).unwrap_err();
    assert!(
        failure
            .to_string()
            .starts_with("/etc/k.conf:1:1: unknown word `nonsense`"),
        "{failure}"
    );
}

#[test]
fn of_two_families_dhcp_goes_with_ipv4_and_ra_with_ipv6() {
    let both =
        instance("\tlist virtual_ipaddress 'fe80::1'\n\toption dhcp follow\n\toption ra follow");
    let instances = load_str("f", &both).unwrap().config.instances;
    let follows: Vec<_> = instances.iter().map(|i| (&*i.name, i.dhcp, i.ra)).collect();
    assert_eq!(follows, [("A", true, false), ("A-6", false, true)]);
}

#[test]
fn one_instance_of_an_interface_is_followed() {
    let second = |interface: &str, line: &str| {
        let section = format!(
            "config vrrp_instance 'B'\n\toption interface {interface}\n\toption virtual_router_id 9\n\
             \tlist virtual_ipaddress 10.0.0.9\n\toption {line}\n"
        );
        messages(&(instance("\toption dhcp follow\n") + &section))
    };
    let told = second("lan", "dhcp follow");
    assert!(
        told.len() == 1 && told[0].ends_with("too: leave it in one of the two"),
        "{told:?}"
    );
    for (interface, line) in [
        ("eth1", "dhcp follow"),
        ("lan", "ra follow"),
        ("lan", "dhcp off"),
    ] {
        assert_eq!(second(interface, line), [""; 0], "{line} on {interface}");
    }
}

#[test]
fn limits_are_named() {
    let sections: String = (0..4097)
        .map(|n| format!("config ipaddress a{n}\n"))
        .collect();
    assert_eq!(
        messages(&sections),
        ["f:4097:8: there are more than 4096 sections: the rest is not read: write less"]
    );
    let options: String = (0..257).map(|n| format!("\toption a{n} 1\n")).collect();
    assert_eq!(
        messages(&format!("config globals\n{options}")),
        ["f:258:2: this section has more than 256 options: the rest is not read: write less"]
    );
    let long = format!(
        "config globals\n\toption router_id '{}'\n",
        "x".repeat(40_000)
    );
    assert_eq!(
        messages(&long),
        [
            "f:2:1: this statement is far too long: close the quote in front of it, or make it shorter"
        ]
    );
    let line = format!("\tlist notification_email '{}'\n", "a ".repeat(4000));
    let found = messages(&instance(&format!("config globals\n{}", line.repeat(30))));
    assert!(
        found[0].contains("the configuration has more than 100000 words"),
        "{found:?}"
    );
}

proptest! {
    /// However the lines around it are broken, a password is never printed.
    #[test]
    fn a_password_is_never_printed(password in "[A-Z][a-z0-9]{5,12}[A-Z]", shape in 0..10usize) {
        let lines = [
            format!("\toption auth_type 'PASS'\n\toption auth_pass '{password}'"),
            format!("\toption auth_type 'PASS'\n\toption auth_pass x {password}"),
            format!("\toption auth_type 'AH'\n\toption auth_pass '{password}"),
            format!("\toption auth_pas '{password}'"),
            format!("\toption auth_pass\n{password}"),
            format!("\toption priority '1\n\toption auth_pass '{password}'\n\toption state 'x"),
            format!("\toption auth_pass{password}"),
            format!("\toption auth_pass '' '' {password}"),
            format!("\tlist auth_pass {password}\n\tlist auth_pass {password}"),
            format!("auth_pass {password}"),
        ];
        for message in messages(&instance(&lines[shape])) {
            prop_assert!(!message.contains(&password), "{}", message);
        }
    }

    /// No panic, whatever the file holds.
    #[test]
    fn any_text_is_answered(
        text in "((config|option|list) [a-z_]{0,9} ?('[^']{0,9}'|\"[^\"]{0,5}\"|[^ ]{0,6})?[ ;#]?\n){0,20}",
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut files = Memory::default();
        let _ = load_bytes("/etc/config/vipd", text.as_bytes(), &mut files);
        let _ = load_bytes("/etc/config/vipd", &bytes, &mut files);
    }
}
