//! The migrations are embedded by a macro, which cargo does not know to depend on their folder.

fn main() {
    println!("cargo::rerun-if-changed=../migrations");
}
