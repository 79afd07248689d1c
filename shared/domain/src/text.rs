//! Which characters a reader can see, and which could imitate another line or another name.
//!
//! The properties are those of the Unicode Character Database, which `icu_properties` holds: `idna` uses the same tables.

use icu_properties::{
    CodePointSetData,
    props::{
        BidiControl, DefaultIgnorableCodePoint, EnumeratedProperty, ExtendedPictographic, GeneralCategory,
        PrependedConcatenationMark, Script,
    },
};

/// ZERO WIDTH NON-JOINER: keeps two letters apart that would join.
pub(crate) const NON_JOINER: char = '\u{200c}';
/// ZERO WIDTH JOINER: joins a letter or an emoji to the next one, or gives a letter the shape that joins.
pub(crate) const JOINER: char = '\u{200d}';
/// VARIATION SELECTOR-16, which shows the symbol before it as an emoji.
const EMOJI_STYLE: char = '\u{fe0f}';
/// BRAILLE PATTERN BLANK: a symbol to Unicode, and a blank to a reader.
const BRAILLE_BLANK: char = '\u{2800}';

/// Returns whether a reader cannot see `c`, or sees it move the text around it: a control or format character, a line or paragraph
/// separator, a bidirectional control, or a character that programs show as nothing (`Default_Ignorable_Code_Point`). In a mail or a
/// list, such characters could imitate another line or another name. Space characters are not among them.
pub(crate) fn is_invisible(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let category = GeneralCategory::for_char(c);
    // The number signs of Arabic and Syriac are format characters that readers see.
    let is_format = category == GeneralCategory::Format && !has::<PrependedConcatenationMark>(c);
    let breaks = [GeneralCategory::Control, GeneralCategory::LineSeparator, GeneralCategory::ParagraphSeparator];
    c == BRAILLE_BLANK
        || is_format
        || breaks.contains(&category)
        || has::<DefaultIgnorableCodePoint>(c)
        || has::<BidiControl>(c)
}

/// Returns whether programs may break the line at `c`: the list of Unicode's newline guidelines.
pub(crate) fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Returns whether `c` sets the direction of the text beside it and shows nothing: a mark, an embedding or an isolate, or the end of one.
/// Programs leave such characters at the ends of what is copied from them.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202c}' | '\u{2066}'..='\u{2069}')
}

/// Returns `text` without the blanks at its ends. U+FEFF is a blank too, as in `trim` of JavaScript.
pub(crate) fn without_blank_ends(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// Returns `text` without the blanks, direction marks, embeddings, isolates and joiners at its ends. A joiner stays if it gives the last
/// letter its shape. An override of the direction is never cut.
pub(crate) fn without_invisible_ends(text: &str) -> &str {
    let is_cut = |c: char| {
        c.is_whitespace()
            || is_direction_mark(c)
            || matches!(c, '\u{feff}' | '\u{200b}' | '\u{2060}' | NON_JOINER | JOINER)
    };
    let cut = text.trim_matches(is_cut);
    let rest = &text.trim_start_matches(is_cut)[cut.len()..];
    if rest.starts_with(JOINER) && cut.chars().next_back().is_some_and(uses_joiners) {
        return &text.trim_start_matches(is_cut)[..cut.len() + JOINER.len_utf8()];
    }
    cut
}

/// Returns whether every invisible character of `text` belongs where it is: a joiner between letters of a script that uses joiners, or
/// in an emoji, and the selector of emoji style after a symbol.
pub(crate) fn has_only_visible(text: &str) -> bool {
    let all: Vec<char> = text.chars().collect();
    (0..all.len()).filter(|at| is_invisible(all[*at])).all(|at| {
        let (before, after) = (&all[..at], all.get(at + 1).copied());
        match all[at] {
            NON_JOINER => joins_to_letter(before) && after.is_some_and(uses_joiners),
            JOINER => {
                let goes_on = after.is_none_or(|next| uses_joiners(next) || !next.is_alphanumeric());
                joins_to_letter(before) && goes_on || joins_emoji(before, after)
            }
            EMOJI_STYLE => before.last().is_some_and(|symbol| has::<ExtendedPictographic>(*symbol)),
            _ => false,
        }
    })
}

/// Returns whether the last letter belongs to a script that uses joiners. The marks over and under the letter are passed over.
fn joins_to_letter(before: &[char]) -> bool {
    let is_mark = |c: &char| Script::for_char(*c) == Script::Inherited && !matches!(*c, NON_JOINER | JOINER);
    before.iter().rev().find(|c| !is_mark(c)).is_some_and(|c| uses_joiners(*c))
}

/// Returns whether a joiner makes one emoji of two.
fn joins_emoji(before: &[char], after: Option<char>) -> bool {
    let is_style = |c: &char| matches!(*c, EMOJI_STYLE | '\u{1f3fb}'..='\u{1f3ff}');
    let first = before.iter().rev().find(|c| !is_style(c));
    first.is_some_and(|c| has::<ExtendedPictographic>(*c)) && after.is_some_and(has::<ExtendedPictographic>)
}

/// Returns whether `c` belongs to a script whose letters change their shape with a joiner: cursive scripts, and those of South and
/// Southeast Asia with conjuncts.
fn uses_joiners(c: char) -> bool {
    matches!(
        Script::for_char(c),
        Script::Adlam
            | Script::Arabic
            | Script::Balinese
            | Script::Bengali
            | Script::Chakma
            | Script::Devanagari
            | Script::Gujarati
            | Script::Gurmukhi
            | Script::HanifiRohingya
            | Script::Javanese
            | Script::Kannada
            | Script::Khmer
            | Script::Malayalam
            | Script::Mandaic
            | Script::MeeteiMayek
            | Script::Mongolian
            | Script::Myanmar
            | Script::Newa
            | Script::Nko
            | Script::Oriya
            | Script::Sinhala
            | Script::Syriac
            | Script::Tamil
            | Script::Telugu
    )
}

/// Returns whether `c` has a binary property of Unicode.
fn has<P: icu_properties::props::BinaryProperty>(c: char) -> bool {
    CodePointSetData::new::<P>().contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_that_unicode_ignores_or_that_turns_the_text_is_invisible() {
        let ranges = [
            '\u{0}'..='\u{1f}',
            '\u{7f}'..='\u{9f}',
            '\u{ad}'..='\u{ad}',
            '\u{34f}'..='\u{34f}',
            '\u{61c}'..='\u{61c}',
            '\u{115f}'..='\u{1160}',
            '\u{17b4}'..='\u{17b5}',
            '\u{180b}'..='\u{180f}',
            '\u{200b}'..='\u{200f}',
            '\u{2028}'..='\u{202e}',
            '\u{2060}'..='\u{206f}',
            '\u{2800}'..='\u{2800}',
            '\u{3164}'..='\u{3164}',
            '\u{fe00}'..='\u{fe0f}',
            '\u{feff}'..='\u{feff}',
            '\u{ffa0}'..='\u{ffa0}',
            '\u{fff0}'..='\u{fffb}',
            '\u{1bca0}'..='\u{1bca3}',
            '\u{1d173}'..='\u{1d17a}',
            '\u{e0000}'..='\u{e0fff}',
        ];
        for c in ranges.into_iter().flatten() {
            assert!(is_invisible(c), "{:04x}", u32::from(c));
        }
        for c in "aZ09 .-\u{a0}\u{3000}äßЖ中ياक\u{301}\u{94d}☎©\u{601}\u{fffd}😀".chars() {
            assert!(!is_invisible(c), "{:04x}", u32::from(c));
        }
    }

    #[test]
    fn joiners_belong_between_letters_of_scripts_that_use_them_and_in_emoji() {
        for good in [
            "نرم\u{200c}افزار",
            "می\u{64e}\u{200c}خواهم",
            "ක්\u{200d}ය",
            "मोह\u{94d}\u{200d} राज",
            "\u{1f469}\u{1f3fd}\u{200d}\u{1f4bb}",
            "\u{2764}\u{fe0f}\u{200d}\u{1f525}",
            "Fabrikam \u{2764}\u{fe0f}",
        ] {
            assert!(has_only_visible(good), "{good:?}");
        }
        for bad in [
            "Fab\u{200c}rikam",
            "Fab\u{200d}rikam",
            "ن\u{200c}a",
            "a\u{200c}ن",
            "ن\u{200c}\u{200c}ا",
            "ن\u{200c}",
            "a\u{fe0f}",
            "1\u{fe0f}",
            "ن\u{fe0f}",
            "\u{1f469}\u{200d}a",
        ] {
            assert!(!has_only_visible(bad), "{bad:?}");
        }
    }

    #[test]
    fn the_ends_lose_what_shows_nothing_and_keep_the_joiner_that_shapes_the_last_letter() {
        assert_eq!(without_invisible_ends("\u{feff}\u{200f} Fabrikam\u{200e}\u{200d}\n"), "Fabrikam");
        assert_eq!(without_invisible_ends(" മോഹന്\u{200d}\u{200e} "), "മോഹന്\u{200d}");
        assert_eq!(without_invisible_ends("ایران\u{200c}"), "ایران");
        assert_eq!(without_invisible_ends(" \u{200d} "), "");
        assert_eq!(without_blank_ends("\u{a0}\u{feff}it@x \u{3000}"), "it@x");
    }
}
