//! Characters that do not stay where they are written.

/// Control characters, separators of lines and paragraphs, and what turns the direction of writing or is not seen: in a mail or a
/// list they could pass for another line, or for another name.
pub(crate) fn leaves_its_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
