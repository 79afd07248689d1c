//! Characters that must not appear in text of one line.

/// Returns whether `c` is a control character, a line or paragraph separator, a bidirectional control or an invisible character. In a
/// mail or a list, such characters could imitate another line or another name.
pub(crate) fn is_control_or_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
