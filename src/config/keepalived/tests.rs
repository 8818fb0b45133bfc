//! Syntax: what tree a text becomes, and that any text becomes one.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::config::error::Diagnostic;
use crate::config::files::Memory;

fn memory(files: &[(&str, &str)]) -> Memory {
    let mut memory = Memory {
        config_id: "main".into(),
        ..Memory::default()
    };
    memory.env.insert("VIP".into(), "10.0.0.9".into());
    for (name, text) in files {
        memory.files.insert((*name).into(), text.as_bytes().into());
    }
    memory
}

/// The tree of the first file on one line: `a b{c;d{};};e;`, then each error behind ` ! `.
fn tree(files: &[(&str, &str)]) -> String {
    let mut report = Report::default();
    let (name, text) = files[0];
    let nodes = parse_all(name, text.as_bytes(), &mut memory(files), &mut report);
    let mut shown = String::new();
    write_nodes(&nodes, &mut shown);
    let (errors, warnings) = report.finish();
    for error in errors {
        shown.push_str(&format!(" ! {error}"));
    }
    for warning in warnings {
        shown.push_str(&format!(" ? {warning}"));
    }
    shown
}

fn parse_all(name: &str, text: &[u8], files: &mut Memory, report: &mut Report) -> Vec<Node> {
    let mut nodes = Vec::new();
    parse(name, text, files, report, &mut |node, _| nodes.push(node));
    nodes
}

fn write_nodes(nodes: &[Node], shown: &mut String) {
    for node in nodes {
        let words: Vec<&str> = node.words.iter().map(|word| word.text.as_str()).collect();
        shown.push_str(&words.join(" "));
        if let Some(children) = &node.children {
            shown.push('{');
            write_nodes(children, shown);
            shown.push('}');
        }
        shown.push(';');
    }
}

fn one(text: &str) -> String {
    tree(&[("f", text)])
}

#[test]
fn text_becomes_a_tree() {
    let rows = [
        ("", ""),
        ("a b\nc", "a b;c;"),
        ("a {\n b 1\n}\n", "a{b 1;};"),
        ("a\n{\n b\n}\n", "a{b;};"),
        ("a\n\n# why\n{ b }", "a{b;};"),
        ("a { b { c } d } e", "a{b{c;};d;};e;"),
        ("a{b}c", "a{b;};c;"),
        ("a b \\\n  c\nd", "a b c;d;"),
        ("a \\\n\n b\n", "a b;"),
        ("a # b \\\nc", "a;c;"),
        ("\u{feff}a", "a;"),
        ("a 'b c' \"#\"", "a b c #;"),
        // Conditions.
        ("@main a\n@other b\n@^main c\n@^other d", "a;d;"),
        ("@^other @main a", "a;"),
        // Variables.
        ("$A=1\na $A ${A}2 $AB $A.3 \"$A\"", "a 1 12 $AB $A.3 1;"),
        ("$A=10.${B}\n$B=0\n${A}.1\n$B=2\n${A}.1", "10.0.1;10.2.1;"),
        ("@main $P=240\n@other $P=200\nprio $P", "prio 240;"),
        ("$IF=@other\n$IF a\nb", "b;"),
        ("$A=\na ${A}b", "a b;"),
        (
            "$I= \\\n x ${N} { \\\n @main m \\\n @other o \\\n }\n$N=1\n$I\n$N=2\n$I",
            "x 1{m;};x 2{m;};",
        ),
        (
            "a ${_HASH}b${_BANG} ${_INSTANCE} ${_ENV VIP}",
            "a #b! main 10.0.0.9;",
        ),
        ("a ${UNKNOWN}b{}", "a ${UNKNOWN}b{};"),
        ("script \"x $1 ${y}\"", "script x $1 ${y};"),
    ];
    for (text, expected) in rows {
        assert_eq!(one(text), expected, "{text:?}");
    }
}

#[test]
fn what_is_wrong_with_the_syntax_is_said_at_its_place() {
    let rows = [
        (
            "a\n }",
            "a; ! f:2:2: no block is open here: remove this `}`",
        ),
        (
            "a {\n b {\n}",
            "a{b{};}; ! f:1:3: this block is not closed before the end of the file: add a `}` where it ends",
        ),
        (
            "{ a }",
            " ! f:1:1: this block has no name: write a keyword before `{`",
        ),
        (
            "a {} {}",
            "a{}; ! f:1:6: this block has no name: write a keyword before `{`",
        ),
        (
            "a \"b",
            "a; ! f:1:3: this quote is not closed on its line: add the closing quote",
        ),
        (
            "a b\u{1}",
            "a; ! f:1:4: this character is not printable UTF-8: remove it, or save the file as UTF-8",
        ),
        (
            "~SEQ(A,1,3) x",
            " ! f:1:1: `~SEQ` is not supported: write the lines out, one for each value",
        ),
        (
            "@ a",
            " ! f:1:1: `@` without an id: write `@id` or `@^id` in front of the line",
        ),
        (
            "$_A=1",
            " ! f:1:1: `$_A`: names that begin with `_` are built in: choose another name",
        ),
        (
            "a ${_ENV NONE}",
            "a; ! f:1:3: the environment has no `NONE`: set it where vipd is started, or write the value here",
        ),
        (
            "a ${_RANDOM 1 5}",
            "a; ! f:1:3: `${_RANDOM}` is not supported: write a number: a reload must read what the start read",
        ),
        (
            "pass a#b",
            "pass a; ? f:1:7: a comment begins in the middle of a word: put a space before it, or quotes around the word if it belongs to it",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(one(text), expected, "{text:?}");
    }
}

#[test]
fn includes_are_relative_sorted_and_bounded() {
    let found = tree(&[
        (
            "/etc/v/main.conf",
            "a\ninclude d/*.conf\nb {\n include d/10.conf\n}\n",
        ),
        ("/etc/v/d/10.conf", "ten"),
        ("/etc/v/d/05.conf", "five\ninclude ../other"),
        ("/etc/v/d/../other", "other"),
        ("/etc/v/d/x.bak", "no"),
    ]);
    assert_eq!(found, "a;five;other;ten;b{ten;};");

    let itself = tree(&[("f", "a\ninclude f\nb")]);
    assert_eq!(
        itself,
        "a;b; ! f:2:9: `f` includes itself: remove this line"
    );

    let disguised = tree(&[("f", "include ./f"), ("./f", "include ./f"), ("././f", "x")]);
    assert_eq!(disguised, "x;");

    let rows = [
        (
            "include none",
            " ? f:1:9: cannot read `none` (No such file): it is left out; correct the name, or remove this line",
        ),
        (
            "includem none",
            " ! f:1:10: cannot read `none` (No such file): correct the name or the permissions",
        ),
        ("include no*ne", ""),
        ("includem no*ne", ""),
        (
            "includew no*ne",
            " ! f:1:10: no file matches `no*ne`: correct the pattern, or write `include`",
        ),
        (
            "include",
            " ! f:1:1: `include` takes one file name: write `include FILE`, with quotes around a name that has spaces or braces",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(one(text), expected, "{text:?}");
    }
}

#[test]
fn an_error_in_an_included_file_names_that_file() {
    let found = tree(&[("d/f", "include g"), ("d/g", "\n }")]);
    assert_eq!(found, " ! d/g:2:2: no block is open here: remove this `}`");
}

#[test]
fn endless_things_end() {
    let itself = one("$A=x${A}\na $A");
    assert!(itself.contains("this line is longer than"), "{itself}");
    let doubling: String = (1..40)
        .map(|n| format!("$A{n}=${{A{m}}}${{A{m}}}\n", m = n - 1))
        .collect();
    let doubling = one(&format!("$A0=\n{doubling}a ${{A39}}"));
    assert!(doubling.contains("variables were replaced"), "{doubling}");
    let lines = one("$A= \\\n$A \\\n$A\n$A");
    assert!(
        lines.contains("definitions use one another more than"),
        "{lines}"
    );
    let deep = one(&"a {\n".repeat(100_000));
    assert!(deep.contains("blocks are nested deeper than 16"), "{deep}");
    let long = one(&"a".repeat(100_000));
    assert!(long.contains("this line is longer than"), "{long}");
    let words = one(&"a\n".repeat(200_000));
    assert!(words.ends_with("words: the rest is not read: make it shorter"));
    let deep: Vec<(String, String)> = (0..20)
        .map(|n| (format!("f{n}"), format!("include f{}", n + 1)))
        .collect();
    let deep: Vec<(&str, &str)> = deep.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let deep = tree(&deep);
    assert!(
        deep.contains("files include one another more than"),
        "{deep}"
    );
}

/// Text that looks like a configuration just enough to get deep into the parser.
#[rustfmt::skip]
fn likely_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{"), Just("}"), Just("\n"), Just("\n"), Just(" "), Just("\""), Just("'"), Just("\\"),
        Just("\\\n"), Just("#"), Just("!"), Just("@main "), Just("@^"), Just("$A="), Just("${A}"),
        Just("$A"), Just("$B="), Just("${B}"), Just("${_ENV "), Just("include f"), Just("include *"),
        Just("vrrp_instance "), Just("virtual_ipaddress "), Just("10.0.0.1/24 "), Just("é"), Just("\0"),
        Just("priority 1 "), Just("auth_pass "),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Whether the place exists in the text.
fn is_inside(line: u32, column: u16, text: &str) -> bool {
    let Some(line) = (line as usize).checked_sub(1) else {
        return column == 0;
    };
    let length = text.split('\n').nth(line).map(|line| line.chars().count());
    length.is_some_and(|length| column >= 1 && usize::from(column) <= length.max(1))
}

fn check_nodes(nodes: &[Node], text: &str, depth: usize) {
    assert!(depth <= crate::config::block::MAX_DEPTH);
    for node in nodes {
        assert!(!node.words.is_empty());
        assert_eq!(node.span, node.words[0].span);
        for word in &node.words {
            assert!(
                is_inside(word.span.line, word.span.column, text),
                "{:?} in {text:?}",
                word.span
            );
        }
        check_nodes(
            node.children.as_deref().unwrap_or_default(),
            text,
            depth + 1,
        );
    }
}

fn check_bytes(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut files = memory(&[("f", "")]);
    files.files.insert("f".into(), bytes.to_vec());
    let mut report = Report::default();
    let nodes = parse_all("f", bytes, &mut files, &mut report);
    check_nodes(&nodes, &text, 0);
    let found = crate::config::load_bytes("f", bytes, &mut files);
    let all: Vec<Diagnostic> = match found {
        Ok(loaded) => loaded.warnings,
        Err(failure) => [failure.errors, failure.warnings].concat(),
    };
    for diagnostic in all {
        assert!(
            is_inside(diagnostic.place.line, diagnostic.place.column, &text),
            "{diagnostic} in {text:?}"
        );
        assert!(!diagnostic.to_string().contains('\n'), "{diagnostic:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_become_a_tree_or_errors(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check_bytes(&bytes);
    }

    #[test]
    fn any_likely_text_becomes_a_tree_or_errors(text in likely_text()) {
        check_bytes(text.as_bytes());
    }
}
