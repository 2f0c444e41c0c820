//! docs/compatibility.md says what of MySQL works, differs and is missing, and it is true of this server.
//!
//! The page is a ratchet too: what worked may not come to differ unseen, because the page would have to say so.

use std::fs;
use std::path::Path;
use tests::compatibility::{page, parse, recorded, state};
use tests::product::product;
use tests::scratch::Scratch;
use tests::server::Launch;

/// The order of the page.
const LISTS: &[&str] = &["statements", "types", "functions", "information", "variables", "collations"];

#[test]
fn the_page_of_compatibility_is_true() {
    let scratch = Scratch::new("compatibility").expect("a scratch folder");
    let server = Launch::new(&product(), &scratch.path().join("data")).start().expect("the server starts");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut states = Vec::new();
    for name in LISTS {
        let list = root.join("compatibility").join(name).with_extension("txt");
        let items = parse(&fs::read_to_string(&list).expect("a list")).expect("items");
        let golden = recorded(&fs::read_to_string(list.with_extension("golden")).expect("MySQL's answers"));
        assert!(items.len() >= 50, "{name}: only {} items", items.len());
        for item in items {
            let answers = golden.get(&format!("{} / {}", item.section, item.name));
            let answers = answers.unwrap_or_else(|| panic!("{name}: {} is not recorded", item.name));
            let found = state(&server.address, &item, answers);
            states.push((item, found));
        }
    }
    let found = page(&states);
    let path = root.join("../docs/compatibility.md");
    if std::env::var_os("TESTS_WRITE_GOLDEN").is_some() {
        fs::write(&path, &found).expect("the page is written");
        return;
    }
    let told = fs::read_to_string(&path).expect("docs/compatibility.md");
    let (told, found): (Vec<&str>, Vec<&str>) = (told.lines().collect(), found.lines().collect());
    let gone: Vec<_> = told.iter().filter(|l| !found.contains(l)).collect();
    let new: Vec<_> = found.iter().filter(|l| !told.contains(l)).collect();
    assert!(
        told == found,
        "docs/compatibility.md is not true any more (TESTS_WRITE_GOLDEN=1 writes it anew; a thing that worked must go on working)\nno \
         longer so: {gone:#?}\nnow: {new:#?}"
    );
}
