//! The rules that the compiler does not know: which layer may touch what, how long a file may be,
//! that nothing is left half done. It reads the sources as text.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use vipd::vrrp::drop::DropReason;

/// Words that must not stand in the code of some files; comments and tests do not count.
struct Rule {
    why: &'static str,
    /// The files that begin like this, below the root of the repository.
    within: &'static [&'static str],
    but_for: &'static [&'static str],
    banned: &'static [&'static str],
}

const RULES: &[Rule] = &[
    Rule {
        why: "the protocol core touches no clock, socket, file, log, thread, and no other layer",
        within: &["src/vrrp/"],
        but_for: &[],
        banned: &[
            "std::",
            "extern crate",
            "nix::",
            "libc::",
            "smoltcp::",
            "log::",
            "println!",
            "print!",
            "eprintln!",
            "Instant::now",
            "SystemTime",
            "crate::daemon",
            "crate::sys",
            "crate::netlink",
            "crate::config",
            "crate::control",
            "crate::frame",
            "crate::cli",
            "crate::demo",
        ],
    },
    Rule {
        why: "the protocol core has no heap in the steady state: storage is made by constructors",
        within: &["src/vrrp/"],
        but_for: &[],
        banned: &[
            "Box::new",
            "String",
            "format!",
            ".to_string(",
            "HashMap",
            "BTreeMap",
            "Rc::new",
            "Arc<",
            ".to_vec(",
        ],
    },
    Rule {
        why: "`Debug` prints nothing in router builds (cross/toolchain.sh): messages use `Display`",
        within: &["src/"],
        but_for: &["src/demo/"],
        banned: &[":?}", ":#?}", "dbg!"],
    },
    Rule {
        why: "time itself has no clock inside",
        within: &["src/time.rs", "src/limits.rs"],
        but_for: &[],
        banned: &["std::", "::now(", "SystemTime", "libc::", "nix::"],
    },
    Rule {
        why: "bytes in, bytes out: no sockets, no files, no logs",
        within: &["src/frame", "src/netlink/"],
        but_for: &[],
        banned: &[
            "UdpSocket",
            "TcpStream",
            "UnixStream",
            "UnixDatagram",
            "nix::sys::socket",
            "libc::socket",
            "OwnedFd",
            "crate::sys",
            "crate::daemon",
            "std::io",
            "std::fs",
            "log::",
            "println!",
            "Instant::now",
        ],
    },
    Rule {
        why: "the helper knows nothing of what it runs programs for",
        within: &["src/helper/"],
        but_for: &[],
        banned: &[
            "crate::daemon",
            "crate::config",
            "crate::control",
            "crate::vrrp",
            "crate::netlink",
            "log::",
        ],
    },
    Rule {
        why: "probes and router advertisements are bytes and deadlines: the sockets are in sys, what follows is the daemon's",
        within: &["src/probe/", "src/ra.rs"],
        but_for: &[],
        banned: &[
            "std::",
            "nix::",
            "libc::",
            "log::",
            "crate::sys",
            "crate::daemon",
            "crate::config",
            "OwnedFd",
            "::now(",
            "Box::new",
            "String",
            "format!",
            ".to_vec(",
        ],
    },
    Rule {
        why: "the configuration is text and a model: it does not touch the running state",
        within: &["src/config/"],
        but_for: &[],
        banned: &[
            "crate::daemon",
            "crate::sys",
            "crate::netlink",
            "crate::control",
            "crate::frame",
            "crate::cli",
            "UdpSocket",
            "TcpStream",
            "Instant::now",
            "println!",
        ],
    },
    Rule {
        why: "system calls do not know the layers above them",
        within: &["src/sys/"],
        but_for: &[],
        banned: &[
            "crate::daemon",
            "crate::config",
            "crate::control",
            "crate::cli",
            "crate::demo",
        ],
    },
    Rule {
        why: "unsafe stands in src/sys only",
        within: &["src/"],
        but_for: &["src/sys/"],
        banned: &["unsafe ", "allow(unsafe_code", "expect(unsafe_code"],
    },
    Rule {
        why: "nothing half done",
        within: &["src/"],
        but_for: &[],
        banned: &["todo!", "unimplemented!", "dbg!", "TODO", "FIXME", "XXX"],
    },
    Rule {
        why: "nothing from outside may stop the process",
        within: &["src/"],
        but_for: &[],
        banned: &[".unwrap("],
    },
    Rule {
        why: "MIPS32 has no 64-bit atomics and no floating point unit",
        within: &["src/"],
        but_for: &["src/demo/"],
        banned: &["AtomicU64", "AtomicI64", "f32", "f64"],
    },
];

const LINES: usize = 600;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a folder, as paths below the root.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path.strip_prefix(root()).unwrap().to_path_buf());
            }
        }
    }
    files.sort();
    files
}

/// The code of a file: no comments, nothing from the test module at its end on.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let body = text
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"));
    body.enumerate()
        .map(|(index, line)| (index + 1, without_comment(line)))
}

fn without_comment(line: &str) -> &str {
    match line.find("//") {
        // A URL in a string is no comment.
        Some(at) if !line[..at].ends_with(':') => &line[..at],
        _ => line,
    }
}

/// Test modules that are files of their own.
fn is_test_module(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// True if the word stands there as a word: `f64` is not in `of64`.
fn stands_in(word: &str, line: &str) -> bool {
    let name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let starts = !word.starts_with(name) || !before.is_some_and(name);
        starts && (!word.ends_with(name) || !after.is_some_and(name))
    })
}

impl Rule {
    fn holds_for(&self, path: &str) -> bool {
        let under = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
        under(self.within) && !under(self.but_for) && !is_test_module(path)
    }

    /// What breaks the rule in this file.
    fn broken(&self, path: &str, text: &str) -> Vec<String> {
        let mut all = Vec::new();
        if self.holds_for(path) {
            for (number, line) in code(text) {
                let words = self.banned.iter().filter(|word| stands_in(word, line));
                all.extend(words.map(|word| format!("{path}:{number}: `{word}`: {}", self.why)));
            }
        }
        all
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn layers_keep_to_themselves() {
    let mut broken = Vec::new();
    for path in sources("src") {
        let (name, text) = (path.to_str().unwrap(), read(&path));
        broken.extend(RULES.iter().flat_map(|rule| rule.broken(name, &text)));
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn files_stay_short() {
    let mut files = sources("src");
    files.extend(sources("tests"));
    assert!(files.len() > 60, "the sources were found");
    let long = |path: &&PathBuf| read(path).lines().count() > LINES;
    let long: Vec<&PathBuf> = files.iter().filter(long).collect();
    assert!(long.is_empty(), "longer than {LINES} lines: {long:?}");
}

/// A rule for files that have moved away would hold for nothing.
#[test]
fn each_rule_has_files() {
    let files = sources("src");
    for rule in RULES {
        for folder in rule.within.iter().chain(rule.but_for) {
            assert!(
                files.iter().any(|path| path.starts_with(folder)),
                "{folder}: {}",
                rule.why
            );
        }
    }
}

#[test]
fn each_drop_reason_has_its_row_in_the_ladder_test() {
    let ladder = read(Path::new("tests/transitions/ladder.rs"));
    for reason in DropReason::ALL {
        let row = format!("DropReason::{reason:?}");
        assert!(ladder.lines().any(|line| stands_in(&row, line)), "{row}");
    }
}

/// Each rule finds each of its words, and only in code.
#[test]
fn the_rules_can_fail() {
    for rule in RULES {
        let folder = rule.within[0];
        let path = if folder.ends_with('/') {
            format!("{folder}bad.rs")
        } else {
            folder.to_owned()
        };
        for word in rule.banned {
            let good = format!(
                "fn a() {{}} // {word}\n/// {word}\n#[cfg(test)]\nmod tests {{ {word} }}\n"
            );
            assert_eq!(rule.broken(&path, &good), Vec::<String>::new(), "{word}");
            let bad = format!("fn a() {{\n    let b = {word} x;\n}}\n");
            assert_eq!(rule.broken(&path, &bad).len(), 1, "{word}");
            assert!(rule.broken(&path, &bad)[0].contains(":2:"));
            assert_eq!(rule.broken("tests/other.rs", &bad), Vec::<String>::new());
        }
    }
}
