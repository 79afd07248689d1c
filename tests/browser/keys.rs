//! The keys that the tests press, on a keyboard of the United States.

use serde_json::{Value, json};

/// Names of keys, which are also their codes, with their virtual key codes.
const NAMED: [(&str, u32); 8] = [
    ("Backspace", 8),
    ("Tab", 9),
    ("Enter", 13),
    ("Escape", 27),
    ("ArrowLeft", 37),
    ("ArrowUp", 38),
    ("ArrowRight", 39),
    ("ArrowDown", 40),
];

/// The characters of a key, without and with Shift, its code and its virtual key code.
const SIGNS: [(&str, &str, u32); 12] = [
    (" ", "Space", 32),
    (";:", "Semicolon", 186),
    ("=+", "Equal", 187),
    (",<", "Comma", 188),
    ("-_", "Minus", 189),
    (".>", "Period", 190),
    ("/?", "Slash", 191),
    ("`~", "Backquote", 192),
    ("[{", "BracketLeft", 219),
    ("\\|", "Backslash", 220),
    ("]}", "BracketRight", 221),
    ("'\"", "Quote", 222),
];

/// The characters of the keys from 0 to 9, with Shift.
const ABOVE_DIGITS: &str = ")!@#$%^&*(";

/// Returns the parameters of `Input.dispatchKeyEvent` that press and release a named key or the key of a printable ASCII character.
pub(crate) fn press(name: &str) -> Option<[Value; 2]> {
    let (code, number) = locate(name)?;
    let (kind, text) = match name {
        "Enter" => ("keyDown", "\r"),
        _ if name.len() == 1 => ("keyDown", name),
        _ => ("rawKeyDown", ""),
    };
    let event =
        |kind, text| json!({ "type": kind, "key": name, "code": code, "windowsVirtualKeyCode": number, "text": text });
    Some([event(kind, text), event("keyUp", "")])
}

/// Returns the code and the virtual key code of a key.
fn locate(name: &str) -> Option<(String, u32)> {
    if let Some((name, number)) = NAMED.iter().find(|(named, _)| *named == name) {
        return Some(((*name).to_owned(), *number));
    }
    let character = name.chars().next().filter(|first| name.len() == first.len_utf8())?;
    if character.is_ascii_alphabetic() {
        let letter = character.to_ascii_uppercase();
        return Some((format!("Key{letter}"), letter.into()));
    }
    let digit = character.to_digit(10).map(|digit| digit as usize).or_else(|| ABOVE_DIGITS.find(character));
    if let Some(digit) = digit {
        return Some((format!("Digit{digit}"), u32::from(b'0') + u32::try_from(digit).ok()?));
    }
    let (_, code, number) = SIGNS.iter().find(|(signs, ..)| signs.contains(character))?;
    Some(((*code).to_owned(), *number))
}
