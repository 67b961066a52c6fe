//! Parts of a document that a test keeps true: between `<!-- NAME -->` and `<!-- /NAME -->`.

use std::path::PathBuf;

fn place(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

fn writes() -> bool {
    std::env::var_os("PREGAO_WRITE_DOCS").is_some()
}

/// The part of that name in `docs/data-quality.md` is this.
pub(crate) fn holds(name: &str, part: &str) {
    let path = place("docs/data-quality.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{begin} is not in {}", path.display()));
    let (now, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{end} is not in {}", path.display()));
    if writes() {
        std::fs::write(&path, format!("{before}{begin}{part}{end}{after}")).unwrap();
    } else {
        assert_eq!(now, part, "docs/data-quality.md, {name}: run with PREGAO_WRITE_DOCS=1 and read what changed");
    }
}

/// The whole file is this.
pub(crate) fn is(file: &str, text: &str) {
    if writes() {
        std::fs::write(place(file), text).unwrap();
    } else {
        assert_eq!(std::fs::read_to_string(place(file)).unwrap(), text, "{file}: run with PREGAO_WRITE_DOCS=1");
    }
}
