//! Opens the console in the developer's browser.

use std::{
    io::{IsTerminal as _, stdout},
    process::Stdio,
};

use tokio::process::Command;

use tools::environment;

/// The command that opens a URL on this system.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// Opens a URL if the developer works at a terminal on a desktop. Best effort, because the URL is also printed.
pub(super) fn open(url: &str) {
    if !is_wanted(stdout().is_terminal(), cfg!(target_os = "macos"), |name| environment::get(name).is_some()) {
        return;
    }
    let mut command = Command::new(OPENER);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // The browser outlives this process.
    drop(command.spawn());
}

fn is_wanted(terminal: bool, macos: bool, is_set: impl Fn(&str) -> bool) -> bool {
    let desktop = macos || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    terminal && desktop && !is_set("CI") && !is_set("SSH_CONNECTION")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(terminal: bool, macos: bool, set: &[&str]) -> bool {
        is_wanted(terminal, macos, |name| set.contains(&name))
    }

    #[test]
    fn the_browser_is_opened_only_at_a_terminal_on_a_local_desktop() {
        assert!(wanted(true, false, &["DISPLAY"]));
        assert!(wanted(true, false, &["WAYLAND_DISPLAY"]));
        assert!(wanted(true, true, &[]));
        assert!(!wanted(false, false, &["DISPLAY"]), "a program reads the output");
        assert!(!wanted(true, false, &[]), "no windows");
        assert!(!wanted(true, true, &["CI"]));
        assert!(!wanted(true, false, &["DISPLAY", "SSH_CONNECTION"]), "the window would open on another machine");
    }
}
