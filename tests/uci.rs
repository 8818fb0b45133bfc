//! UCI files are read as OpenWrt's own `uci` reads them: a table of files in tests/uci, and random
//! texts compared with the real program, which `tests/uci/build-uci` makes.
//!
//! `X.export` is what the real program says of `X.uci` (`uci -N export X`, or `refused`); UPDATE_UCI=1
//! with the real program at hand rewrites it. Where we differ on purpose, `DIFFERS` says why.
#![allow(clippy::unwrap_used)]

#[path = "sim/rng.rs"]
#[allow(dead_code, unreachable_pub)]
mod rng;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rng::Rng;
use vipd::config::uci::{Section, sections};

/// Files that we read otherwise than the real program, what we say of them, and why.
const DIFFERS: &[(&str, &str)] = &[
    (
        "merge_three",
        "libuci of 2022 loses a section that is opened for the third time and refuses what follows; \
         later ones add to it, as all do at the second time",
    ),
    (
        "nul",
        "libuci forgets the rest of a line behind a NUL; we refuse the file, which is damaged",
    ),
    (
        "latin1",
        "libuci passes any bytes; in a value of ours, what is not UTF-8 becomes U+FFFD",
    ),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/uci")
}

/// The names of the table's files and their bytes.
fn table() -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "uci"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// `uci export` of what we have read, or None if we refuse it.
fn ours(name: &str, bytes: &[u8]) -> Option<String> {
    Some(export(name, &sections(name, bytes).ok()?))
}

fn export(package: &str, sections: &[Section]) -> String {
    let escaped = |text: &str| text.replace('\'', "'\\''");
    let mut shown = format!("package {package}\n");
    for section in sections {
        let name = section.name.as_ref();
        let name = name.map_or(String::new(), |name| format!(" '{}'", name.text));
        writeln!(shown, "\nconfig {}{name}", escaped(&section.kind.text)).unwrap();
        for setting in &section.settings {
            let word = if setting.list { "list" } else { "option" };
            for value in &setting.values {
                let value = escaped(&value.whole.text);
                writeln!(shown, "\t{word} {} '{value}'", setting.name.text).unwrap();
            }
        }
    }
    shown.push('\n');
    shown
}

/// The real program, and a folder for the file that it reads.
struct Real {
    program: PathBuf,
    folder: PathBuf,
}

impl Real {
    fn new(test: &str) -> Self {
        let program = std::env::var_os("VIPD_UCI")
            .expect("VIPD_UCI must name the real program: VIPD_UCI=$(tests/uci/build-uci)/bin/uci");
        let folder = format!("vipd-uci-{test}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self {
            program: program.into(),
            folder,
        }
    }

    /// What it exports, or None if it refuses the file.
    fn export(&self, name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        std::fs::write(self.folder.join(name), bytes).unwrap();
        let answer = Command::new(&self.program)
            .args(["-q", "-N", "-t", "/nonexistent", "-c"])
            .arg(&self.folder)
            .args(["export", name])
            .output()
            .unwrap();
        std::fs::remove_file(self.folder.join(name)).unwrap();
        answer.status.success().then_some(answer.stdout)
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What a refused file has in its `.export`.
const REFUSED: &str = "refused\n";

#[test]
fn the_table_is_read_as_the_real_program_reads_it() {
    let table = table();
    assert!(table.len() >= 70, "the table is missing");
    for (name, bytes) in &table {
        let path = folder().join(format!("{name}.export"));
        let wanted = std::fs::read(&path).unwrap();
        let found = ours(name, bytes).unwrap_or_else(|| REFUSED.into());
        match DIFFERS.iter().find(|(differs, _)| differs == name) {
            None => assert_eq!(found, String::from_utf8_lossy(&wanted), "{name}"),
            Some((_, why)) => assert_ne!(found.as_bytes(), wanted, "{name} differs no more: {why}"),
        }
    }
    for (name, _) in DIFFERS {
        assert!(table.iter().any(|(known, _)| known == name), "{name}");
    }
}

#[test]
fn what_is_read_otherwise_is_read_so() {
    let of = |name: &str| {
        let bytes = std::fs::read(folder().join(format!("{name}.uci"))).unwrap();
        ours(name, &bytes)
    };
    assert_eq!(
        of("merge_three").unwrap(),
        "package merge_three\n\nconfig a 'x'\n\toption p '1'\n\toption q '2'\n\toption r '3'\n\n"
    );
    assert_eq!(of("nul"), None);
    assert!(of("latin1").unwrap().contains("option p '\u{fffd}'"));
}

#[test]
#[ignore = "needs the real program: tests/run uci"]
fn the_answers_in_the_table_are_those_of_the_real_program() {
    let real = Real::new("table");
    for (name, bytes) in table() {
        let path = folder().join(format!("{name}.export"));
        let answer = real.export(&name, &bytes).unwrap_or_else(|| REFUSED.into());
        if std::env::var_os("UPDATE_UCI").is_some() {
            std::fs::write(&path, &answer).unwrap();
        }
        assert_eq!(answer, std::fs::read(&path).unwrap(), "{name}");
    }
}

/// Pieces that random texts are made of, besides those of the table.
const PIECES: &[&str] = &[
    "config",
    "option",
    "list",
    "package",
    "c",
    "o",
    "l",
    "p",
    "a",
    "b",
    "x",
    "y",
    "name",
    "'",
    "\"",
    "\\",
    "#",
    ";",
    "''",
    "\"\"",
    "' '",
    "\n",
    "\n",
    "\n\t",
    "\r\n",
    "\\\n",
    "\\\r\n",
    " ",
    " ",
    " ",
    "\t",
    "\x0b",
    "\x0c",
    "\r",
    "'two\nlines'",
    "a_b",
    "a-b",
    "a.b",
    "ä",
    "€",
    "1",
    "0",
    "'\\''",
    "-",
    "\nconfig a\n",
    "\nconfig a x\n",
    "\nconfig b y\n",
    "\n\toption p 'v'\n",
    "\n\tlist p 'w'\n",
    "\n\toption q v",
    "\n\tlist q w ",
    "{",
    "}",
    "!",
];

/// A text that looks like UCI, more or less.
fn random_text(rng: &mut Rng, table: &[String]) -> String {
    const LONGEST: usize = 2_000;
    let mut text = match rng.below(3) {
        0 => String::new(),
        1 => table[rng.index(table.len())].clone(),
        _ => regular_text(rng),
    };
    let changes = rng.below(5).saturating_sub(1);
    for _ in 0..changes {
        let at = boundary(&text, rng.index(text.len() + 1));
        let end = boundary(&text, (at + rng.index(8)).min(text.len()));
        match rng.below(4) {
            0 => text.replace_range(at..end, ""),
            1 => text.replace_range(at..end, rng.pick(PIECES)),
            2 => text.insert_str(at, rng.pick(PIECES)),
            _ => {
                let other = &table[rng.index(table.len())];
                let from = boundary(other, rng.index(other.len() + 1));
                let to = boundary(other, (from + rng.index(40)).min(other.len()));
                text.insert_str(at, &other[from..to]);
            }
        }
    }
    text.truncate(boundary(&text, LONGEST.min(text.len())));
    text
}

/// A text of statements that are mostly right.
fn regular_text(rng: &mut Rng) -> String {
    const NAMES: &[&str] = &["a", "b", "x", "'y'", "\"z\"", "a_b", "n\\\n1"];
    const VALUES: &[&str] = &[
        "1",
        "v",
        "''",
        "'a b'",
        "\"it's\"",
        "'say \"x\"'",
        "a\\ b",
        "'a'b\"c\"",
        "'two\nlines'",
        "a#b",
        "\"e\\\nf\"",
        "g\\\nh",
        "\"\\\"\"",
        "ä",
    ];
    /// What the real program takes in some places only.
    const ODD: &[&str] = &["a;b", "'c';", "d ;", "i\\\n j", "'' ''", ""];
    let value = |rng: &mut Rng| {
        let odd = rng.percent(3);
        rng.pick(if odd { ODD } else { VALUES })
    };
    let mut text = String::from("config a\n");
    for _ in 0..rng.below(20) {
        let name = rng.pick(NAMES);
        match rng.below(8) {
            0 => _ = write!(text, "config a {name}"),
            1 => _ = write!(text, "config {name}"),
            2..5 => _ = write!(text, "\toption {name} {}", value(rng)),
            5..7 => _ = write!(text, "\tlist {name} {}", value(rng)),
            _ => text.push_str("# comment"),
        }
        text.push_str(rng.pick(&["\n", "\n", "\n", "\n", "\r\n", " # x\n"]));
    }
    text
}

fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Whether the text may open a section for the third time, see `DIFFERS`.
fn reopens(text: &str) -> bool {
    let is_command = |word: &&str| matches!(*word, "config" | "c");
    let words = text.split([' ', '\t', '\n', '\x0b', '\x0c', '\r', ';']);
    words.filter(is_command).count() > 2
}

fn number(variable: &str, default: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(default, |text| text.parse().unwrap())
}

#[test]
#[ignore = "needs the real program: tests/run uci"]
fn the_real_program_agrees_on_random_texts() {
    let real = Real::new("fuzz");
    let table: Vec<String> = table()
        .into_iter()
        .filter_map(|(_, bytes)| String::from_utf8(bytes).ok())
        .filter(|text| !text.contains('\0'))
        .collect();
    let first = number("VIPD_UCI_SEED", 1);
    let end = Instant::now() + Duration::from_secs(number("VIPD_UCI_SECONDS", 20));
    let (mut seed, mut taken, mut excused) = (first, 0, 0);
    while Instant::now() < end {
        let text = random_text(&mut Rng::new(seed), &table);
        let theirs = real.export("t", text.as_bytes());
        let theirs = theirs.map(|answer| String::from_utf8(answer).unwrap());
        let ours = ours("t", text.as_bytes());
        if theirs.is_none() && ours.is_some() && reopens(&text) {
            excused += 1;
        } else {
            assert_eq!(ours, theirs, "VIPD_UCI_SEED={seed}: {text:?}");
        }
        taken += u64::from(theirs.is_some());
        seed += 1;
    }
    let count = seed - first;
    println!("{count} texts from seed {first}: {taken} taken by both, {excused} excused");
    assert!(
        count > 100,
        "only {count} texts: give it more VIPD_UCI_SECONDS"
    );
    assert!(
        taken * 4 > count,
        "{taken} of {count} texts are UCI: the generator is of no use"
    );
    assert!(
        excused * 20 < count,
        "{excused} of {count} texts are excused"
    );
}
