//! Probes in both spellings mean the same.
#![allow(clippy::unwrap_used)]

use vipd::config::load_str;
use vipd::config::model::Config;

const KEEPALIVED: &str = "vrrp_instance A {
    interface eth0
    virtual_router_id 1
    virtual_ipaddress { 10.0.0.1 }
    track_probe { P }
}
";
const UCI: &str = "config vrrp_instance 'A'
\toption interface 'eth0'
\toption virtual_router_id '1'
\tlist virtual_ipaddress '10.0.0.1'
\tlist track_probe 'P'
";

#[test]
fn probes_in_both_spellings() {
    let both = |keepalived: &str, uci: &str| {
        let one = load_str("f", &format!("{keepalived}\n{KEEPALIVED}"));
        let section = format!("config track_probe P\n\toption interface eth1\n{uci}");
        let other = section + UCI;
        let [one, other] =
            [one, load_str("f", &other)].map(|loaded| loaded.map_err(|e| e.to_string()));
        let [one, other] = [one.unwrap().config, other.unwrap().config];
        assert_eq!(one.probes, other.probes, "{uci}");
        let trackers = |config: &Config| config.instances[0].settings.trackers.clone();
        assert_eq!(trackers(&one), trackers(&other), "{uci}");
        let [probe] = one.probes.as_slice() else {
            panic!("one probe: {:?}", one.probes);
        };
        assert_eq!((&*probe.name, &*probe.interface), ("P", "eth1"));
        (probe.clone(), one.instances[0].settings.trackers[0].clone())
    };
    let rows = [
        ("ping 192.0.2.1", "ping '192.0.2.1'", "ping 192.0.2.1"),
        ("ping fe80::1", "ping fe80::1", "ping fe80::1"),
        ("arp 192.0.2.1", "arp 192.0.2.1", "arp 192.0.2.1"),
        ("tcp 192.0.2.1:80", "tcp 192.0.2.1:80", "tcp 192.0.2.1:80"),
        (
            "tcp [2001:db8::1]:80",
            "tcp '[2001:db8::1]:80'",
            "tcp [2001:db8::1]:80",
        ),
        (
            "dns a.b. @192.0.2.1",
            "dns 'a.b @192.0.2.1'",
            "dns a.b @192.0.2.1",
        ),
        ("default_route", "default_route 1", "default_route"),
        (
            "default_route ipv6",
            "default_route ipv6",
            "default_route ipv6",
        ),
    ];
    for (keepalived, uci, expected) in rows {
        let (probe, tracker) = both(
            &format!("track_probe P {{\n{keepalived}\nvia eth1\n}}"),
            &format!("\toption {uci}\n"),
        );
        assert_eq!(probe.check.to_string(), expected);
        assert_eq!((probe.plan.rise, probe.plan.fall), (2, 3));
        assert_eq!(probe.plan.interval.as_millis(), 1_000);
        assert_eq!(probe.plan.timeout.as_millis(), 1_000);
        assert_eq!((tracker.weight, tracker.reverse), (0, false));
    }
    let (probe, tracker) = both(
        "track_probe P { ping 192.0.2.1 interface eth1 interval 0.25 rise 1 fall 100 weight -7 reverse }",
        "\toption ping 192.0.2.1\n\toption interval 0.25\n\toption rise 1\n\toption fall 100
\toption weight -7\n\toption direction reverse\n",
    );
    assert_eq!(
        probe.plan.timeout.as_millis(),
        250,
        "not above the interval"
    );
    assert_eq!((probe.plan.rise, probe.plan.fall), (1, 100));
    assert_eq!((tracker.weight, tracker.reverse), (-7, true));
    let (probe, _) = both(
        "track_probe P { ping 192.0.2.1 interface eth1 interval 10 timeout 0.05 }",
        "\toption ping 192.0.2.1\n\toption interval 10\n\toption timeout 0.05\n",
    );
    assert_eq!(probe.plan.timeout.as_millis(), 50);
}
