//! Signs of life for long work: a bar on a terminal, lines elsewhere, always on stderr.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over so many steps; quiet if stderr is no terminal.
pub fn bar(steps: u64, what: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "{msg:>24} [{bar:32}] {pos}/{len} {elapsed} {eta} left";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(steps).with_style(style.progress_chars("=> "));
    bar.set_message(what.to_owned());
    bar
}

/// One line on stderr.
pub fn say(words: impl AsRef<str>) {
    eprintln!("{}", words.as_ref());
}
