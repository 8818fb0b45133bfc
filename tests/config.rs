//! The configuration as a whole: the example, the corpus beside this file, the reference.

#![allow(clippy::unwrap_used)]

use expect_test::expect_file;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use vipd::config::files::Disk;
use vipd::config::{Failure, Loaded, load_with, reference};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What `vipd check` would know about the file, without the folder in front of its name.
fn verdict(path: &Path) -> String {
    let mut files = Disk {
        config_id: Some("main".into()),
    };
    let (text, errors, warnings) = match load_with(path.to_str().unwrap(), &mut files) {
        Ok(Loaded { config, warnings }) => (format!("{config:#?}\n"), vec![], warnings),
        Err(Failure { errors, warnings }) => (String::new(), errors, warnings),
    };
    let mut found = String::new();
    for error in errors {
        writeln!(found, "error: {error}").unwrap();
    }
    for warning in warnings {
        writeln!(found, "warning: {warning}").unwrap();
    }
    found.push_str(&text);
    found.replace(&format!("{}/", path.parent().unwrap().display()), "")
}

/// Each `tests/config/*.conf` against the `.expected` beside it; UPDATE_EXPECT=1 rewrites them.
#[test]
fn the_corpus_means_what_stands_beside_it() {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(root().join("tests/config"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "conf")
        })
        .collect();
    paths.sort();
    assert!(paths.len() >= 10, "the corpus is missing");
    for path in paths {
        expect_file![path.with_extension("expected")].assert_eq(&verdict(&path));
    }
}

/// CONFIG.md is written from the table; UPDATE_CONFIG_MD=1 rewrites it.
#[test]
fn the_reference_is_fresh() {
    let path = root().join("CONFIG.md");
    let fresh = reference::markdown();
    if std::env::var_os("UPDATE_CONFIG_MD").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == fresh,
        "CONFIG.md is stale: run `UPDATE_CONFIG_MD=1 cargo test --test config`"
    );
}
