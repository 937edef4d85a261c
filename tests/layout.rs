//! The crate's layout: a module imports only from those on a lower line, only `wire` names the protocol crates, and no
//! file grows past what one reads in a sitting.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Each module's line, in tenths.
const LINES: &[(&str, u32)] = &[
    ("model", 0),
    ("time", 0),
    ("watched", 0),
    ("batch", 10),
    ("wire", 20),
    ("config", 25),
    ("embedded", 28),
    ("cluster", 30),
    ("accumulate", 40),
    ("fetch", 40),
    ("producer", 50),
    ("consumer", 50),
    ("admin", 50),
    ("kafka", 70),
];

const PROTOCOL_CRATES: &[&str] = &["rskafka", "kafka_wire"];

const MAX_LINES: usize = 800;

fn line_of(module: &str) -> Option<u32> {
    LINES.iter().find(|(name, _)| *name == module).map(|(_, line)| *line)
}

/// What is wrong with the file at `path` (relative to `src`, with `/`); empty if nothing is.
fn faults(path: &str, source: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = source.lines().count();
    if lines > MAX_LINES {
        faults.push(format!("{path}: {lines} lines, more than {MAX_LINES}"));
    }
    let mut parts = path.trim_end_matches(".rs").split('/').collect::<Vec<_>>();
    if parts.last() == Some(&"mod") {
        parts.pop();
    }
    let module = parts[0];
    if module != "wire" {
        for name in PROTOCOL_CRATES.iter().filter(|name| source.contains(*name)) {
            faults.push(format!("{path}: names {name}, which only wire may"));
        }
    }
    if path == "lib.rs" {
        return faults;
    }
    let Some(line) = line_of(module) else {
        faults.push(format!("{path}: module {module} has no line"));
        return faults;
    };
    for import in imports(&without_tests(&blanked(source)), parts.len()) {
        match line_of(&import) {
            _ if import == module => {}
            None => faults.push(format!("{path}: imports crate::{import}, which is no module with a line")),
            Some(below) if below < line => {}
            Some(_) => faults.push(format!("{path}: {module} imports {import}, which is not below it")),
        }
    }
    faults
}

/// `source` with comments and the insides of literals replaced by spaces.
fn blanked(source: &str) -> String {
    let chars = source.chars().collect::<Vec<_>>();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut out = String::with_capacity(source.len());
    let mut i = 0;
    while i < chars.len() {
        let end = match (at(i), at(i + 1)) {
            ('/', '/') => (i..chars.len()).find(|&j| at(j) == '\n').unwrap_or(chars.len()),
            ('/', '*') => end_of_block_comment(&chars, i),
            ('r', '"' | '#') if !is_word(&out) || out.ends_with(['b', 'c']) => end_of_raw_string(&chars, i),
            ('"', _) => end_of_quoted(&chars, i),
            ('\'', '\\') => end_of_quoted(&chars, i),
            ('\'', _) if at(i + 2) == '\'' => i + 3,
            _ => i,
        };
        if end == i {
            out.push(chars[i]);
            i += 1;
        } else {
            out.extend(chars[i..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            i = end;
        }
    }
    out
}

fn is_word(before: &str) -> bool {
    before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

fn end_of_block_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut i) = (0, start);
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

fn end_of_quoted(chars: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < chars.len() && chars[i] != chars[start] {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

/// The end of the raw string whose `r` is at `start`, or `start` if none is there (a raw identifier).
fn end_of_raw_string(chars: &[char], start: usize) -> usize {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    let open = start + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return start;
    }
    let closes = |j: &usize| chars[*j] == '"' && chars[j + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
    (open + 1..chars.len()).find(closes).map_or(chars.len(), |j| j + 1 + hashes)
}

const TEST_ATTRIBUTE: &str = "#[cfg(test)]";

/// Blanked source without the items behind `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    if code.contains("#![cfg(test)]") {
        return String::new();
    }
    let (mut out, mut rest) = (String::new(), code);
    while let Some(start) = rest.find(TEST_ATTRIBUTE) {
        out.push_str(&rest[..start]);
        rest = &rest[start + TEST_ATTRIBUTE.len()..];
        rest = &rest[end_of_item(rest)..];
    }
    out + rest
}

/// Where the item that `code` starts with ends: after its `;`, or after its body.
fn end_of_item(code: &str) -> usize {
    let mut depth = 0;
    // braces end a `fn` or a `mod`, but not these
    let to_semicolon = after_attributes(code)
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !["", "pub", "crate", "super", "in", "self"].contains(word))
        .map(|word| ["use", "static", "type", "let"].contains(&word))
        .next()
        .unwrap_or(false);
    for (i, c) in code.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return i;
        }
        if depth == 0 && (c == ';' || c == '}' && !to_semicolon) {
            return i + 1;
        }
    }
    code.len()
}

fn after_attributes(code: &str) -> &str {
    let mut rest = code.trim_start();
    while rest.starts_with("#[") {
        let mut depth = 0;
        let end = rest.find(|c| {
            depth += i32::from(c == '[') - i32::from(c == ']');
            c == ']' && depth == 0
        });
        rest = end.map_or("", |end| rest[end + 1..].trim_start());
    }
    rest
}

/// The names that blanked source takes directly from the crate's root, by `crate::` or by enough `super::` for a module
/// `depth` levels under it.
fn imports(code: &str, depth: usize) -> BTreeSet<String> {
    let tokens = tokens(code);
    let token = |i: usize| tokens.get(i).map_or("", String::as_str);
    let mut found = BTreeSet::new();
    let mut i = 0;
    while i < tokens.len() {
        let start = i;
        i += 1;
        if token(start) == "crate" && token(i) == "::" {
            take_names(&tokens, i + 1, &mut found);
        } else if token(start) == "super" {
            let mut supers = 1;
            while token(i) == "::" && token(i + 1) == "super" {
                (supers, i) = (supers + 1, i + 2);
            }
            if supers >= depth && token(i) == "::" {
                // inside an inline module one `super` reaches no further than the file, so only modules count
                let mut names = BTreeSet::new();
                take_names(&tokens, i + 1, &mut names);
                found.extend(names.into_iter().filter(|name| line_of(name).is_some()));
            }
        }
    }
    found
}

/// The name at `start`, or the first name of each path if a group starts there.
fn take_names(tokens: &[String], start: usize, found: &mut BTreeSet<String>) {
    let Some(first) = tokens.get(start) else { return };
    if first != "{" {
        found.insert(first.clone());
        return;
    }
    let (mut depth, mut starts_path) = (0, false);
    for token in &tokens[start..] {
        match token.as_str() {
            "{" => (depth, starts_path) = (depth + 1, depth == 0),
            "}" if depth == 1 => return,
            "}" => depth -= 1,
            "," => starts_path = depth == 1,
            "::" => {}
            name => {
                if starts_path {
                    found.insert(name.to_owned());
                }
                starts_path = false;
            }
        }
    }
}

/// Words, `::`, and every other character by itself.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::<String>::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let length = match word {
            0 if rest.starts_with("::") => 2,
            0 => first.len_utf8(),
            word => word,
        };
        let token = &rest[..length];
        rest = rest[length..].trim_start();
        // r#name is the name
        if token == "r" && rest.starts_with('#') {
            rest = &rest[1..];
        } else {
            tokens.push(token.to_owned());
        }
    }
    tokens
}

/// The files of modules declared `#[cfg(test)] mod name;` in the file at `path`: what their paths start with.
fn test_modules(path: &Path, source: &str) -> Vec<PathBuf> {
    let dir = match path.file_stem().and_then(|stem| stem.to_str()) {
        Some("mod" | "lib") => path.parent().unwrap().to_owned(),
        _ => path.with_extension(""),
    };
    let code = blanked(source);
    code.split(TEST_ATTRIBUTE)
        .skip(1)
        .filter_map(|item| {
            let (item, _) = after_attributes(item).split_once(';')?;
            let words = tokens(item);
            let at = words.iter().position(|word| word == "mod")?;
            (at + 2 == words.len()).then(|| dir.join(&words[at + 1]))
        })
        .collect()
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_file_keeps_the_layout() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    files.retain(|path| !path.starts_with(src.join("bin")));
    files.sort();
    assert!(files.len() > 1, "no sources under {}", src.display());
    let sources = files.into_iter().map(|path| (fs::read_to_string(&path).unwrap(), path)).collect::<Vec<_>>();
    let tests = sources.iter().flat_map(|(source, path)| test_modules(path, source)).collect::<Vec<_>>();
    let mut found = Vec::new();
    for (source, path) in &sources {
        let relative = path.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
        if tests.iter().any(|test| path.starts_with(test) || path.with_extension("") == *test) {
            // imports are free in tests, the other rules are not
            found.extend(faults(&relative, &format!("#![cfg(test)]{source}")));
        } else {
            found.extend(faults(&relative, source));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn an_import_from_below_passes() {
    for (path, source) in [
        ("wire/call.rs", "use crate::{batch::SealedBatch, model::TopicId};"),
        ("config/mod.rs", "use crate::wire::Address; use crate::model::Header; use crate::batch::Codec;"),
        ("kafka.rs", "use crate::{cluster::{Cluster, wire}, producer, time};"),
        ("wire/call.rs", "use crate::wire::Api; pub(crate) fn f() {} pub(in crate::wire) fn g() {}"),
        ("wire/call.rs", "use super::code::ErrorCode;"),
    ] {
        assert_eq!(faults(path, source), Vec::<String>::new(), "{path}: {source}");
    }
}

#[test]
fn an_import_from_above_or_beside_fails() {
    for (path, source) in [
        ("model/mod.rs", "use crate::wire::Address;"),
        ("model/mod.rs", "use crate::time::Deadline;"),
        ("wire/call.rs", "use crate::{batch::{A, B}, config::C};"),
        ("batch/mod.rs", "fn f() -> crate :: wire::Address {}"),
        ("batch/mod.rs", "use crate::{\n    model::{self, Header},\n    r#wire as w,\n};"),
        ("fetch/mod.rs", "use crate::accumulate::X;"),
        ("producer/mod.rs", "use crate::consumer::X;"),
        ("cluster/view.rs", "use crate::kafka::Kafka;"),
        ("cluster/view.rs", "use super::super::kafka::Kafka;"),
        ("cluster/mod.rs", "use super::{model::A, kafka::Kafka};"),
        ("time.rs", "use super::wire::Address;"),
        ("time.rs", "fn f<'a>(x: &'a str) -> char { let _ = crate::wire::A; 'x' }"),
    ] {
        let faults = faults(path, source);
        assert_eq!(faults.len(), 1, "{path}: {source}: {faults:?}");
        assert!(faults[0].ends_with("which is not below it"), "{faults:?}");
    }
}

#[test]
fn what_has_no_line_fails() {
    assert_eq!(faults("stray.rs", ""), ["stray.rs: module stray has no line"]);
    assert_eq!(
        faults("kafka.rs", "use crate::{Record, model::Header};"),
        ["kafka.rs: imports crate::Record, which is no module with a line"]
    );
    assert_eq!(faults("kafka.rs", "use crate::*;").len(), 1);
}

#[test]
fn tests_comments_and_literals_import_nothing() {
    for source in [
        "#[cfg(test)]\nmod tests {\n    fn f() { use crate::kafka::Kafka; }\n}",
        "#[cfg(test)]\n#[allow(dead_code)]\nuse crate::{kafka::Kafka, wire::{A, B}};",
        "#[cfg(test)]\npub(crate) fn f(x: [u8; 2]) -> crate::kafka::Kafka { { x } }",
        "// crate::wire::A\n//! [`crate::wire::A`]\n/* /* */ crate::wire::A */",
        "const A: &str = \"\\\" crate::wire::A\"; const B: &str = r#\"\" crate::wire::A\"#; const C: char = '\"';",
        "const A: &[u8] = br\"\\\"; const B: &str = \"crate::wire::A\";",
    ] {
        assert_eq!(faults("model/mod.rs", source), Vec::<String>::new(), "{source}");
    }
}

#[test]
fn what_follows_a_test_item_still_counts() {
    for source in [
        "#[cfg(test)]\nmod tests {}\nuse crate::wire::A;",
        "#[cfg(test)]\nmod tests;\nuse crate::wire::A;",
        "#[cfg(test)]\nuse crate::{kafka::Kafka};\nuse crate::wire::A;",
        "const C: char = '\"'; use crate::wire::A; const D: char = '\"';",
        "const C: char = '\\''; use crate::wire::A; const D: char = '\\'';",
        "const S: &str = \"// \"; use crate::wire::A;",
        "#[cfg(not(test))]\nuse crate::wire::A;",
    ] {
        assert_eq!(faults("model/mod.rs", source).len(), 1, "{source}");
    }
}

#[test]
fn files_of_test_modules_are_found() {
    let source = "mod a;\n#[cfg(test)]\npub(crate) mod fake;\n#[cfg(test)]\nmod tests { mod b; }";
    assert_eq!(test_modules(Path::new("wire/mod.rs"), source), [PathBuf::from("wire/fake")]);
    assert_eq!(test_modules(Path::new("time.rs"), source), [PathBuf::from("time/fake")]);
}

#[test]
fn only_wire_names_the_protocol_crates() {
    for source in ["use rskafka::A;", "fn f(_: kafka_wire::A) {}", "use kafka_wire_core::A;"] {
        assert_eq!(faults("wire/call.rs", source), Vec::<String>::new());
        assert_eq!(faults("cluster/pool.rs", source).len(), 1, "{source}");
        assert_eq!(faults("lib.rs", source).len(), 1, "{source}");
    }
}

#[test]
fn a_long_file_fails() {
    assert_eq!(faults("wire/call.rs", &"\n".repeat(MAX_LINES)), Vec::<String>::new());
    assert_eq!(faults("wire/call.rs", &"\n".repeat(MAX_LINES + 1)).len(), 1);
    assert_eq!(faults("lib.rs", &"\n".repeat(MAX_LINES + 1)).len(), 1);
}
