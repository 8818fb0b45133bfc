//! Limits: each is named where it is passed.

use super::*;

fn with_vips(count: usize) -> String {
    let vips: String = (0..count)
        .map(|n| format!("10.0.{}.{}\n", n / 250, n % 250 + 1))
        .collect();
    format!(
        "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n{vips}}}\n}}\n"
    )
}

#[test]
fn the_limit_of_addresses_is_named() {
    let most = load_str("f", &with_vips(MAX_VIPS)).unwrap();
    assert_eq!(most.config.instances[0].vips.len(), 255);
    assert_eq!(
        messages(&with_vips(MAX_VIPS + 1)),
        [
            "f:260:1: the block at f:4:1 has more than 255 addresses: an advert holds no more: make another instance for the rest"
        ]
    );
}

fn with_instances(count: usize) -> String {
    let instance = |n: usize| {
        format!(
            "vrrp_instance I{n} {{ interface eth{} virtual_router_id {} virtual_ipaddress {{ 10.{}.{}.1 }} }}\n",
            n / 200,
            n % 200 + 1,
            n / 200,
            n % 200
        )
    };
    (0..count).map(instance).collect()
}

#[test]
fn the_limit_of_instances_is_named() {
    let most = load_str("f", &with_instances(MAX_INSTANCES)).unwrap();
    assert_eq!(most.config.instances.len(), MAX_INSTANCES);
    let found = messages(&with_instances(MAX_INSTANCES + 1));
    assert_eq!(
        found,
        [format!(
            "f:{}:15: there are more than {MAX_INSTANCES} instances: remove this one and those behind it",
            MAX_INSTANCES + 1
        )]
    );
}

#[test]
fn a_flood_of_errors_is_cut() {
    let found = messages(&"xyzzy\n".repeat(5000));
    assert_eq!(found.len(), 201);
    assert!(
        found[200].contains("4800 more of this kind are not shown"),
        "{}",
        found[200]
    );
}
