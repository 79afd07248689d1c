//! Static files. The name of each contains a hash of its content, so browsers can cache it forever, and a new version has a new name.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use web::Reply;

use crate::Brand;

/// A static file.
pub struct Asset {
    /// The path, such as `/assets/style.Fd3kz0aB1c2D.css`.
    pub path: String,
    content: String,
    media_type: &'static str,
}

/// The script that others import as `./common.js`: texts, placeholders, times, calls, and what the tab remembers.
const COMMON_SCRIPT: &str = include_str!("../assets/common.js");

/// The icon of every page.
const ICON: &str = include_str!("../assets/icon.svg");

/// The style of every page: the frame, forms, buttons, lists and the window.
const STYLE: &str = include_str!("../assets/style.css");

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// How many characters of the hash are in a name: 72 bits.
const HASH: usize = 12;

/// The path by which scripts import [`COMMON_SCRIPT`]; replaced by its hashed name.
const COMMON: &str = "./common.js";

impl Asset {
    /// Returns the style sheet of a function, with the vendor's colours and the base before its own rules.
    #[must_use]
    pub fn style(directory: &str, brand: &Brand, own: &str) -> Self {
        let content = brand.style() + STYLE + own;
        Self::new(directory, "style", "css", "text/css; charset=utf-8", content)
    }

    /// Returns the icon.
    #[must_use]
    pub fn icon(directory: &str) -> Self {
        Self::new(directory, "icon", "svg", "image/svg+xml", ICON.to_owned())
    }

    /// Returns the script that others import.
    #[must_use]
    pub fn common_script(directory: &str) -> Self {
        Self::new(directory, "common", "js", SCRIPT, COMMON_SCRIPT.to_owned())
    }

    /// Returns a script, which may import `common` as `./common.js`.
    #[must_use]
    pub fn script(directory: &str, name: &str, content: &str, common: &Self) -> Self {
        Self::new(directory, name, "js", SCRIPT, content.replace(COMMON, &common.path))
    }

    fn new(directory: &str, name: &str, extension: &str, media_type: &'static str, content: String) -> Self {
        let mut hash = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(content.as_bytes()));
        hash.truncate(HASH);
        Self { path: format!("{directory}/{name}.{hash}.{extension}"), content, media_type }
    }

    /// Returns the answer with the file, which browsers keep for a year.
    #[must_use]
    pub fn reply(&self) -> Reply {
        let mut reply = web::reply::empty(StatusCode::OK);
        *reply.body_mut() = self.content.clone().into();
        for (name, value) in [
            (header::CONTENT_TYPE, self.media_type),
            (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            reply.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        reply.headers_mut().insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
        reply
    }
}

/// Names in scripts that Chrome 87, Firefox 79 or Safari 14.1 lacks: the oldest browsers of README.md.
const NEWER: [&str; 24] = [
    "randomUUID(",
    "AbortSignal.",
    ".at(",
    ".replaceAll(",
    ".findLast",
    ".hasOwn(",
    "groupBy(",
    ".toSorted(",
    ".toReversed(",
    ".with(",
    "structuredClone(",
    "withResolvers(",
    ".canParse(",
    ".checkVisibility(",
    ".togglePopover(",
    "navigator.locks",
    "scheduler.",
    "static {",
    "Intl.Segmenter",
    ".inert",
    "isWellFormed(",
    "requestSubmit(",
    "Array.fromAsync",
    "AggregateError",
];

/// Features of style sheets that these browsers do not understand, where it would cost more than looks.
const NEWER_STYLE: [&str; 8] = [":has(", ":is(", ":where(", "color-mix(", "@layer", "@container", "oklch(", "inert"];

/// Returns the names in a script that the oldest browsers lack, apart from its comments. A test of each function with scripts calls it.
#[must_use]
pub fn newer_in(script: &str) -> Vec<&'static str> {
    let code: String = script.lines().filter(|line| !line.trim_start().starts_with(['/', '*'])).collect();
    NEWER.into_iter().filter(|feature| code.contains(feature)).collect()
}

/// Returns the features in a style sheet that the oldest browsers lack.
#[must_use]
pub fn newer_in_style(style: &str) -> Vec<&'static str> {
    NEWER_STYLE.into_iter().filter(|feature| style.contains(feature)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_script_uses_nothing_that_the_oldest_browsers_lack() {
        assert!(newer_in(COMMON_SCRIPT).is_empty(), "{:?}", newer_in(COMMON_SCRIPT));
    }

    #[test]
    fn the_style_sheet_uses_nothing_that_the_oldest_browsers_lack_without_something_before_it() {
        assert!(newer_in_style(STYLE).is_empty(), "{:?}", newer_in_style(STYLE));
        // The older unit comes first, and stays where the newer one is not understood.
        for line in STYLE.lines().filter(|line| line.contains("dvh")) {
            let (before, _) = line.split_once("dvh").unwrap();
            assert!(before.contains("vh"), "{line}");
        }
    }

    #[test]
    fn a_feature_of_newer_browsers_is_found_outside_of_comments() {
        assert_eq!(newer_in("// list.at(1)\nlist.at(1)"), [".at("]);
        assert_eq!(newer_in_style("a:has(b) {}"), [":has("]);
    }
}
