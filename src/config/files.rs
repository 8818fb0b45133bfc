//! Where configuration text comes from: the disk, or memory for tests and the fuzzer.

use std::collections::BTreeMap;
use std::os::fd::AsRawFd;

use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::stat::fstat;

use crate::file;

/// A file larger than this is refused.
pub const MAX_FILE_BYTES: usize = 1 << 20;
/// An `include` pattern that matches more files than this is cut.
pub const MAX_MATCHES: usize = 256;

/// Of the mode of a file.
const OTHERS_READ: u32 = 0o004;

/// What a parser may ask the world for.
pub trait Files {
    /// The bytes of `path`, or why there are none, in a few words.
    fn read(&mut self, path: &str) -> Result<Vec<u8>, String>;
    /// The paths that match `pattern` (`*`, `?`, `[a-z]`), sorted, at most [`MAX_MATCHES`].
    fn glob(&mut self, pattern: &str) -> Vec<String>;
    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;
    /// Who may do what with `path`, links followed; none if there is no such file.
    fn mode(&self, path: &str) -> Option<Mode>;
    /// The path without links, if there is such a file.
    fn real_path(&self, path: &str) -> Option<String>;
    /// Whether others than owner and group may read `path`, which has been read.
    fn is_open(&self, path: &str) -> bool;
    /// What `@id` lines are compared with: the host name up to its first dot.
    fn config_id(&self) -> String;
}

/// Who may do what with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// The permissions: `0o755` or so.
    pub bits: u32,
    /// Its owner is root.
    pub is_of_root: bool,
    /// It is no program.
    pub is_folder: bool,
}

/// The file system and the environment of this process.
#[derive(Debug, Default)]
pub struct Disk {
    /// Overrides the host name as the id of `@id` lines.
    pub config_id: Option<String>,
    /// What was read and may be read by others.
    pub open: Vec<Box<str>>,
}

impl Files for Disk {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, String> {
        let mut read = || {
            let opened = file::open(path, OFlag::O_RDONLY, 0)?;
            if fstat(&opened)?.st_mode & OTHERS_READ != 0 {
                self.open.push(path.into());
            }
            file::rest(&opened, MAX_FILE_BYTES + 1)
        };
        let bytes = read().map_err(file::why)?;
        check_size(bytes)
    }

    fn glob(&mut self, pattern: &str) -> Vec<String> {
        let (start, rest) = match pattern.strip_prefix('/') {
            Some(rest) => ("/".to_owned(), rest),
            None => (String::new(), pattern),
        };
        let mut found = vec![start];
        for component in rest.split('/').filter(|part| !part.is_empty()) {
            found = descend(&found, component);
        }
        found.retain(|path| file::look(path).is_ok_and(|found| file::is(&found, libc::S_IFREG)));
        found
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn mode(&self, path: &str) -> Option<Mode> {
        let found = file::look(path).ok()?;
        Some(Mode {
            bits: found.st_mode,
            is_of_root: found.st_uid == 0,
            is_folder: file::is(&found, libc::S_IFDIR),
        })
    }

    fn real_path(&self, path: &str) -> Option<String> {
        // What realpath(3) does takes another 1.3 KB.
        let opened = file::open(path, OFlag::O_PATH, 0).ok()?;
        file::read_link(&format!("/proc/self/fd/{}", opened.as_raw_fd())).ok()
    }

    fn is_open(&self, path: &str) -> bool {
        self.open.iter().any(|open| **open == *path)
    }

    fn config_id(&self) -> String {
        if let Some(id) = &self.config_id {
            return id.clone();
        }
        let host = file::read("/proc/sys/kernel/hostname").unwrap_or_default();
        let first = host.trim_ascii().split(|byte| *byte == b'.').next();
        String::from_utf8_lossy(first.unwrap_or_default()).into_owned()
    }
}

/// The entries of the directories `parents` that match `component`.
fn descend(parents: &[String], component: &str) -> Vec<String> {
    let mut found = Vec::new();
    for parent in parents {
        if !is_pattern(component) {
            found.push(join(parent, component));
            continue;
        }
        let directory = if parent.is_empty() { "." } else { parent };
        let opened = file::open(directory, OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0);
        let Ok(entries) = opened.and_then(|folder| Dir::from_fd(folder.into())) else {
            continue;
        };
        for entry in entries.into_iter().map_while(Result::ok) {
            match entry.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) if matches(component, name) => found.push(join(parent, name)),
                Ok(_) => {}
            }
        }
    }
    found.sort_unstable();
    found.truncate(MAX_MATCHES);
    found
}

/// Files that exist only in this map.
#[derive(Debug, Default)]
pub struct Memory {
    /// Path → bytes.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// The id of `@id` lines.
    pub config_id: String,
    /// The paths that others may read.
    pub open: Vec<String>,
}

impl Files for Memory {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, String> {
        let bytes = self.files.get(path).ok_or("No such file")?;
        check_size(bytes.clone())
    }

    fn glob(&mut self, pattern: &str) -> Vec<String> {
        let same_depth = |path: &&String| path.split('/').count() == pattern.split('/').count();
        let parts_match = |path: &&String| {
            let mut pairs = pattern.split('/').zip(path.split('/'));
            pairs.all(|(pattern, name)| pattern == name || matches(pattern, name))
        };
        let found = self.files.keys().filter(same_depth).filter(parts_match);
        found.take(MAX_MATCHES).cloned().collect()
    }

    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    /// Every file is root's, and a program.
    fn mode(&self, _path: &str) -> Option<Mode> {
        Some(Mode {
            bits: 0o755,
            is_of_root: true,
            is_folder: false,
        })
    }

    fn real_path(&self, path: &str) -> Option<String> {
        Some(path.to_owned())
    }

    fn is_open(&self, path: &str) -> bool {
        self.open.iter().any(|open| open == path)
    }

    fn config_id(&self) -> String {
        self.config_id.clone()
    }
}

fn check_size(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(format!("larger than {MAX_FILE_BYTES} bytes"));
    }
    Ok(bytes)
}

/// `name` relative to the directory of the file `base`.
pub(crate) fn relative_to(base: &str, name: &str) -> String {
    match base.rsplit_once('/') {
        _ if name.starts_with('/') => name.to_owned(),
        Some((directory, _)) => format!("{directory}/{name}"),
        None => name.to_owned(),
    }
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() || parent.ends_with('/') {
        format!("{parent}{name}")
    } else {
        format!("{parent}/{name}")
    }
}

/// Whether `text` has a wildcard in it.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether `name`, one component of a path, matches `pattern`. A leading dot must be named.
fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where to go on after a mismatch: behind the last `*`, one character of the name later.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            retry = Some((p + 1, n + 1));
            p += 1;
        } else if let Some(next) = match_one(&pattern, p, name[n]) {
            (p, n) = (next, n + 1);
        } else if let Some((after_star, next)) = retry {
            retry = Some((after_star, next + 1));
            (p, n) = (after_star, next);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The index behind the pattern element at `p`, if that element matches `c`.
fn match_one(pattern: &[char], p: usize, c: char) -> Option<usize> {
    match *pattern.get(p)? {
        '?' => Some(p + 1),
        '[' => match_set(pattern, p + 1, c),
        literal => (literal == c).then_some(p + 1),
    }
}

/// `[abc]`, `[a-z]`, `[!a]`; `p` stands behind the bracket.
fn match_set(pattern: &[char], mut p: usize, c: char) -> Option<usize> {
    let negated = matches!(pattern.get(p), Some('!' | '^'));
    p += usize::from(negated);
    let (first, mut found) = (p, false);
    loop {
        let low = *pattern.get(p)?;
        if low == ']' && p > first {
            return (found != negated).then_some(p + 1);
        }
        let is_range = pattern.get(p + 1) == Some(&'-') && pattern.get(p + 2) != Some(&']');
        let high = if is_range { *pattern.get(p + 2)? } else { low };
        found |= (low..=high).contains(&c);
        p += if is_range { 3 } else { 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_as_in_a_shell() {
        let rows = [
            ("*.conf", "a.conf", true),
            ("*.conf", ".conf", false),
            ("*.conf", "a.conf.bak", false),
            ("a*b*c", "aXbYbZc", true),
            ("a?c", "abc", true),
            ("[0-9]*", "10-lan", true),
            ("[!0-9]*", "10-lan", false),
            ("[]x]", "]", true),
            ("[a", "a", false),
            ("**", "anything", true),
        ];
        for (pattern, name, expected) in rows {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_relative_name_starts_in_the_including_file_s_directory() {
        assert_eq!(relative_to("/etc/vipd.conf", "d/a"), "/etc/d/a");
        assert_eq!(relative_to("/etc/vipd.conf", "/x"), "/x");
        assert_eq!(relative_to("vipd.conf", "a"), "a");
    }

    #[test]
    fn the_disk_lists_only_files_and_sorts_them() {
        let root = env!("CARGO_MANIFEST_DIR");
        let found = Disk::default().glob(&format!("{root}/Cargo.[tl]o*"));
        assert_eq!(
            found,
            [format!("{root}/Cargo.lock"), format!("{root}/Cargo.toml")]
        );
        assert!(Disk::default().glob(&format!("{root}/sr*")).is_empty());
    }
}
