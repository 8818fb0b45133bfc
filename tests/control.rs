//! The control socket of the real program, in a network namespace: what it says, and that nobody
//! who connects can harm it. Root only, for the namespaces.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "control/lab.rs"]
mod lab;
#[path = "control/schema.rs"]
mod schema;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use lab::Lab;
use vipd::limits::CONTROL_CLIENTS;

/// An instance that waits for its interface, and one that is Active at once on one that is there.
const CONFIG: &str = "
vrrp_instance waiting {
    interface absent0
    virtual_router_id 51
    version 3
    virtual_ipaddress { 10.10.201.100 }
}
vrrp_instance running {
    interface v0
    virtual_router_id 52
    priority 255
    advert_int 0.01
    version 3
    virtual_ipaddress { 10.10.201.101/24 }
}
";

/// The log line of the second.
const ACTIVE: &str = "running: Initialize -> Active";

#[test]
fn status_says_what_and_why_in_words() {
    let lab = Lab::start("words", CONFIG, ACTIVE);
    let text = lab.vipd(&["status"]).done();
    assert!(text.contains("waiting: Initialize for "), "{text}");
    assert!(
        text.contains(": absent0: the interface does not exist"),
        "{text}"
    );
    assert!(text.contains("running: Active for "), "{text}");
    assert!(
        text.contains(" on v0: priority 255 owns the addresses\n"),
        "{text}"
    );
    assert!(
        text.contains("  address   10.10.201.101/24 on v0: present\n"),
        "{text}"
    );
    let one = lab.vipd(&["status", "running"]).done();
    assert!(
        one.contains("running: ") && !one.contains("waiting: "),
        "{one}"
    );
}

#[test]
fn json_is_as_its_schema_says() {
    let tracking =
        "track_interface {\nv1 weight -7 reverse\nabsent1 weight -9\n}\nvirtual_ipaddress";
    let config = CONFIG.replacen("virtual_ipaddress", tracking, 1);
    let config = config + "vrrp_sync_group alone { group { waiting } }";
    let lab = Lab::start("json", &config, ACTIVE);
    let text = lab.vipd(&["status", "waiting"]).done();
    for line in [
        "priority 91 (configured 100)",
        "  group     alone\n",
        "  tracks    v1: up, weight -7 reverse: +0\n",
        "  tracks    absent1: down, weight -9: -9\n",
    ] {
        assert!(text.contains(line), "{line:?}: {text}");
    }
    let status = lab.status();
    let schema = include_str!("../src/control/status.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    assert_eq!(schema::faults(&schema, &status), Vec::<String>::new());

    let [waiting, running] = status["instances"].as_array().unwrap().as_slice() else {
        panic!("two instances: {status}");
    };
    assert_eq!(status["pid"], lab.pid());
    assert_eq!(waiting["keepalived_state"], "FAULT");
    assert_eq!(waiting["reason"], "interface-absent");
    assert_eq!(waiting["active"], Value::Null);
    assert_eq!(waiting["group"], "alone");
    assert_eq!(waiting["effective_priority"], 91);
    assert_eq!(waiting["trackers"][1]["effect"], -9);
    assert_eq!(running["trackers"], Value::Array(Vec::new()));
    assert_eq!(running["state"], "Active");
    assert_eq!(running["keepalived_state"], "MASTER");
    assert_eq!(running["reason"], "owner");
    assert_eq!(running["active"]["address"], "10.10.201.1");
    assert_eq!(running["active"]["this_router"], true);
    assert_eq!(running["advert_interval_ms"], 10);
    assert_eq!(running["vips"][0]["present"], true);
}

/// What the schema does not allow is found: otherwise the test above would show nothing.
#[test]
fn the_schema_is_enforced() {
    let schema: Value = serde_json::from_str(
        r##"{"type": "object", "required": ["a"], "additionalProperties": false,
            "properties": {"a": {"type": "array", "items": {"$ref": "#/$defs/b"}}},
            "$defs": {"b": {"type": ["string", "null"], "enum": ["x", null]}}}"##,
    )
    .unwrap();
    let faults = |text: &str| schema::faults(&schema, &serde_json::from_str(text).unwrap()).len();
    assert_eq!(faults(r#"{"a": ["x", null]}"#), 0);
    assert_eq!(faults("[]"), 1, "type");
    assert_eq!(faults("{}"), 1, "required");
    assert_eq!(faults(r#"{"a": [], "c": 1}"#), 1, "additional");
    assert_eq!(faults(r#"{"a": ["y"]}"#), 1, "enum in a definition");
    assert_eq!(faults(r#"{"a": [1]}"#), 2, "type and enum");
}

#[test]
fn mistakes_are_one_line_and_an_exit_code() {
    let mut lab = Lab::start("mistakes", CONFIG, ACTIVE);
    let unknown = lab.vipd(&["status", "nobody"]);
    assert_eq!(
        unknown.error,
        "error: no instance is called `nobody`; there are: waiting running\n"
    );
    assert_eq!(unknown.code, 2);
    for (request, code) in [
        ("vipd/2 status\n", "version"),
        ("vipd/1 explode\n", "command"),
        ("GET / HTTP/1.1\r\n\r\n", "malformed"),
    ] {
        let answer = lab.ask(request.as_bytes());
        assert!(
            answer.starts_with(&format!("vipd/1 error {code}\n")),
            "{answer}"
        );
        assert!(answer.ends_with("\nvipd/1 end\n"), "{answer}");
    }
    lab.stop();
    assert!(!lab.socket().exists(), "removed at the end");
    let gone = lab.vipd(&["status"]);
    let said = format!(
        "error: vipd is not running: nobody listens on {}",
        lab.socket().display()
    );
    assert!(gone.error.starts_with(&said), "{}", gone.error);
    assert_eq!((gone.error.lines().count(), gone.code), (1, 3));
}

#[test]
fn the_socket_of_a_killed_daemon_is_replaced() {
    let mut lab = Lab::start("killed", CONFIG, ACTIVE);
    lab.kill();
    assert!(lab.socket().exists());
    assert_eq!(lab.vipd(&["status"]).code, 3, "nobody listens any more");
    lab.start_again(ACTIVE);
    lab.status();
}

#[test]
fn reload_says_what_changed_or_what_is_wrong() {
    let lab = Lab::start("reload", CONFIG, ACTIVE);
    let answer = lab.vipd(&["reload"]);
    assert_eq!(
        (answer.code, answer.text.as_str()),
        (0, "2 unchanged\n"),
        "{}",
        answer.error
    );

    lab.write(&CONFIG.replace("virtual_router_id 51", "virtual_router_id 53"));
    let changed = lab.vipd(&["reload"]).done();
    assert!(
        changed.contains("added waiting") && changed.contains("1 unchanged"),
        "{changed}"
    );
    assert_eq!(lab.status()["instances"][0]["vrid"], 53);

    lab.write(&CONFIG.replacen("virtual_router_id", "bogus_word", 1));
    let refused = lab.vipd(&["reload"]);
    assert_eq!(refused.code, 1);
    let place = format!(
        "error: {}:4:5: unknown word `bogus_word`",
        lab.config().display()
    );
    assert!(refused.error.contains(&place), "{}", refused.error);
    assert_eq!(
        lab.status()["instances"][0]["vrid"],
        53,
        "nothing has changed"
    );
}

/// Everything that a client can do wrong, and afterwards the daemon is as it was.
#[test]
fn nobody_who_connects_can_harm_it() {
    let lab = Lab::start("harm", CONFIG, ACTIVE);
    lab.status();
    let before = lab.resources();

    for _ in 0..1_000 {
        drop(lab.connect());
    }
    let bytes: Vec<u8> = (0..2_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for piece in bytes.chunks(100) {
        lab.ask(piece);
    }
    assert!(
        lab.ask(&[b'x'; 5_000])
            .starts_with("vipd/1 error too-long\n")
    );
    assert_eq!(lab.ask(b""), "");

    // All places taken by clients that never say or read anything; then they are dropped.
    let silent: Vec<UnixStream> = (0..CONTROL_CLIENTS).map(|_| lab.connect()).collect();
    let busy = lab.vipd(&["status"]);
    assert!(
        busy.error.contains("clients are being served already"),
        "{}",
        busy.error
    );
    assert_eq!(busy.code, 3);
    let sent = |status: &Value| status["instances"][1]["counters"]["sent"].as_u64().unwrap();
    for client in silent {
        assert_eq!(lab::rest(client), "", "dropped at its deadline");
    }

    let status = lab.status();
    assert_eq!(status["instances"][1]["state"], "Active");
    assert_eq!(status["instances"][1]["counters"]["became_active"], 1);
    // One advert in 10 ms, but a machine that is busy with other tests may be late for some.
    let due = status["instances"][1]["state_age_ms"].as_u64().unwrap() / 10;
    assert!(
        sent(&status) > due / 2,
        "{} adverts of {due}",
        sent(&status)
    );
    let after = lab.resources();
    assert_eq!(after.descriptors, before.descriptors);
    assert!(
        after.anonymous_kib <= before.anonymous_kib + 64,
        "memory grew: {before:?} to {after:?}"
    );
}

/// A reader that stops in the middle of a long answer holds up nobody, and gets all of it later.
#[test]
fn a_slow_reader_of_255_instances() {
    let mut config = String::new();
    for vrid in 1..=255 {
        config += &format!(
            "vrrp_instance VI_{vrid} {{\n interface absent0\n virtual_router_id {vrid}\n \
             virtual_ipaddress {{ 10.10.1.{vrid} }}\n}}\n"
        );
    }
    let lab = Lab::start("many", &config, "VI_255: waiting in Initialize");
    let mut slow = lab.connect();
    slow.write_all(b"vipd/1 status\n").unwrap();
    let mut first = [0; 10];
    slow.read_exact(&mut first).unwrap();
    assert_eq!(first, *b"vipd/1 ok\n");

    let before = lab.resources();
    let others = [lab.status(), lab.status()];
    for status in others {
        assert_eq!(status["instances"].as_array().unwrap().len(), 255);
    }
    let after = lab.resources();
    assert!(
        after.anonymous_kib <= before.anonymous_kib + 64,
        "{before:?} to {after:?}"
    );

    let mut rest = String::new();
    slow.read_to_string(&mut rest).unwrap();
    let json = rest.strip_suffix("\nvipd/1 end\n").unwrap();
    let status: Value = serde_json::from_str(json).unwrap();
    assert_eq!(status["instances"][254]["name"], "VI_255");
}
