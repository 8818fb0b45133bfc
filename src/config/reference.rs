//! CONFIG.md, written from the table of keywords.

use core::fmt::Write;

use super::schema::uci::{ENTRIES, Part};
use super::schema::{Block, Class, Keyword, Rule, Skip, TABLES, Table};

const HEAD: &str = "\
# The configuration file of vipd

<!-- Written from src/config/schema by `UPDATE_CONFIG_MD=1 cargo test --test config`. Do not edit. -->

vipd reads keepalived.conf, and OpenWrt's UCI (see below). `vipd check FILE` says what is wrong with a file, each error as one line
`file:line:col: what is wrong: what to write instead`.

    vrrp_instance VI_1 {
        state MASTER
        interface eth0
        virtual_router_id 50
        priority 101
        advert_int 1
        authentication {
            auth_type PASS
            auth_pass 123456
        }
        virtual_ipaddress {
            10.10.201.101
        }
    }

## Syntax

- A line is a keyword and its arguments. `{` and `}` may stand anywhere, also a block on one line:
  `virtual_ipaddress { 10.0.0.1 10.0.0.2/24 dev eth1 }`. There, a new statement begins where a
  keyword has all that it takes, and a new entry at each address.
- `#` and `!` begin a comment, also in the middle of a word; quotes (`\"` or `'`) protect it and blanks.
- `\\` at the end of a line joins the next one to it.
- `include FILE` reads FILE here, relative to the file that says so; `*`, `?` and `[a-z]` match
  several. A missing file is a warning with `include`, an error with `includem`, `includew` and
  `includea`; `includew` and `includea` also want a pattern to match.
- `@id` in front of a line keeps it only if the id is the host name up to its first dot; `@^id` only
  if it is not.
- `$NAME=VALUE` defines; `$NAME` in front of a blank and `${NAME}` anywhere are replaced. A value of
  several lines has `\\` at the end of each but the last, and nothing behind the `=`. Built in:
  `${_PWD}`, `${_INSTANCE}`, `${_HASH}`, `${_BANG}`, `${_ENV NAME}`. `~SEQ` and `~LST` are not supported.
- BOOL is `on`, `off`, `true`, `false`, `yes` or `no`. SECONDS may have up to six decimals.

## UCI

A file in /etc/config/, and one whose first statement is `config` or `package`, is UCI:

    config globals 'globals'
        option enabled '1'

    config vrrp_instance 'home'
        option interface 'lan'
        option virtual_router_id '50'
        option priority '150'
        option nopreempt '1'
        list virtual_ipaddress '192.168.1.1'

The grammar is libuci's, and the words are those of the tables below:

- A block is a section, `config BLOCK 'NAME'`; `config globals` is `global_defs`. `option name` is for names that
  have more than letters, digits and `_`. The words of `authentication` stand in the instance itself.
- A keyword is `option KEYWORD 'VALUE'`. A BOOL is `1`, `on`, `true`, `yes`, `enabled`, or `0`, `off`, `false`, `no`,
  `disabled`; a keyword without value takes one too, so that `option nopreempt '0'` means that it is not there.
- A keyword with a block of lines is `list KEYWORD 'LINE'`, once for each line.
- `option enabled '0'` leaves a section out; that of `globals` is for the init script. `option alt_config_file` names a
  keepalived.conf that is read instead if it is there.
- A list may hold the line itself, such as `192.168.1.1/24 dev br-lan`, or the name of a section that has its parts:

SECTIONS
- `direction` of a `vrrp_script` stands behind its weight. `url` sections are for LVS, and skipped; the options of a
  peer for `keepalived-sync` (`sync`, `ssh_key` …) are answered with one warning.

The class says how common a word is among keepalived's users: a everyone, b many, c few; + is vipd's own.
";

/// The whole of CONFIG.md.
pub fn markdown() -> String {
    let mut text = HEAD.replace("SECTIONS", &sections());
    for table in TABLES {
        write_table(&mut text, table);
    }
    text
}

/// The types of section that become a line of a list.
fn sections() -> String {
    let mut text = String::new();
    text.push_str(
        "| section | names it | options besides `name`, and what they become |\n|---|---|---|\n",
    );
    for entry in ENTRIES {
        let lists: Vec<String> = entry.lists.iter().map(|list| code(list)).collect();
        let options: Vec<String> = entry.options.iter().map(part).collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            entry.kind,
            lists.join(", "),
            options.join("; ")
        );
    }
    text
}

fn part((option, part): &(&str, Part)) -> String {
    match part {
        Part::Value => format!("`{option}`, needed"),
        Part::Named(word) if word == option => code(option),
        Part::Named(word) => format!("`{option}`: `{word}`"),
        Part::Flag(_) => format!("`{option}`: BOOL"),
        Part::Label => format!("`{option}`: `label DEVICE:SUFFIX`, `vip` unless given"),
        Part::Direction => format!("`{option}`: `reverse` or `noreverse`"),
    }
}

fn write_table(text: &mut String, table: &Table) {
    let title = match table.block {
        Block::Top => "The top level".to_owned(),
        Block::Address => "An address in `virtual_ipaddress`".to_owned(),
        block => format!("`{}`", block.name()),
    };
    let _ = write!(text, "\n## {title}\n");
    let (works, skipped): (Vec<_>, Vec<_>) = table.words.iter().partition(|word| word.works());
    if !works.is_empty() {
        text.push_str("\n| keyword | takes | default | meaning | source | class |\n");
        text.push_str("|---|---|---|---|---|---|\n");
        works.iter().for_each(|word| write_working(text, word));
    }
    if !skipped.is_empty() {
        text.push_str("\nKnown and skipped, with one warning that names the line:\n\n");
        text.push_str("| keyword | takes | | what happens instead | class |\n");
        text.push_str("|---|---|---|---|---|\n");
        skipped.iter().for_each(|word| write_skipped(text, word));
    }
}

fn write_working(text: &mut String, word: &Keyword) {
    let _ = writeln!(
        text,
        "| `{}` | {} | {} | {} | {} | {} |",
        word.name,
        code(&word.syntax()),
        escape(word.reference.default),
        escape(word.reference.doc),
        word.reference.source,
        class(word.reference.class),
    );
}

fn write_skipped(text: &mut String, word: &Keyword) {
    let why = match word.rule {
        Rule::Skipped {
            why: Skip::Needless,
            ..
        } => "not needed",
        Rule::Skipped {
            why: Skip::Foreign, ..
        } => "never",
        _ => "not yet",
    };
    let _ = writeln!(
        text,
        "| `{}` | {} | {why} | {} | {} |",
        word.name,
        code(&word.syntax()),
        escape(word.reference.doc),
        class(word.reference.class),
    );
}

const fn class(class: Class) -> &'static str {
    match class {
        Class::A => "a",
        Class::B => "b",
        Class::C => "c",
        Class::Own => "+",
    }
}

fn code(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("`{}`", escape(text))
    }
}

fn escape(text: &str) -> String {
    text.replace('|', "\\|")
}
