//! The style sheet and the scripts. The name of each file contains a hash of its content, so browsers can cache it forever, and a new
//! version has a new name.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use web::Reply;

use crate::brand::Brand;

/// Every file that pages load.
pub(crate) struct Assets {
    pub(crate) style: Asset,
    pub(crate) icon: Asset,
    pub(crate) page: Asset,
    pub(crate) portal: Asset,
    pub(crate) administration: Asset,
    common: Asset,
}

/// A static file.
pub(crate) struct Asset {
    /// The path, such as `/assets/style.Fd3kz0aB1c2D.css`.
    pub(crate) path: String,
    content: String,
    media_type: &'static str,
}

/// How many characters of the hash are in a name: 72 bits.
const HASH: usize = 12;

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The path by which the scripts import `common.js`; replaced by its hashed name.
const COMMON: &str = "./common.js";

impl Assets {
    /// Builds the files, with the vendor's colour in the style sheet.
    pub(crate) fn new(brand: &Brand) -> Self {
        let style = brand.style() + include_str!("../assets/style.css");
        let common = Asset::new("common", "js", SCRIPT, include_str!("../assets/common.js").to_owned());
        let script = |name, content: &str| Asset::new(name, "js", SCRIPT, content.replace(COMMON, &common.path));
        Self {
            style: Asset::new("style", "css", "text/css; charset=utf-8", style),
            icon: Asset::new("icon", "svg", "image/svg+xml", include_str!("../assets/icon.svg").to_owned()),
            page: script("page", include_str!("../assets/page.js")),
            portal: script("portal", include_str!("../assets/portal.js")),
            administration: script("administration", include_str!("../assets/administration.js")),
            common,
        }
    }

    /// Returns the file at a path.
    pub(crate) fn reply(&self, path: &str) -> Option<Reply> {
        let all = [&self.style, &self.icon, &self.page, &self.portal, &self.administration, &self.common];
        all.into_iter().find(|asset| asset.path == path).map(Asset::reply)
    }
}

impl Asset {
    fn new(name: &str, ending: &str, media_type: &'static str, content: String) -> Self {
        let mut hash = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(content.as_bytes()));
        hash.truncate(HASH);
        Self { path: format!("/assets/{name}.{hash}.{ending}"), content, media_type }
    }

    fn reply(&self) -> Reply {
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

#[cfg(test)]
mod tests {
    const SCRIPTS: [(&str, &str); 4] = [
        ("administration.js", include_str!("../assets/administration.js")),
        ("common.js", include_str!("../assets/common.js")),
        ("page.js", include_str!("../assets/page.js")),
        ("portal.js", include_str!("../assets/portal.js")),
    ];

    /// Features that Chrome 87, Firefox 79 or Safari 14.1 lacks: the oldest browsers of README.md.
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
    const NEWER_STYLE: [&str; 8] =
        [":has(", ":is(", ":where(", "color-mix(", "@layer", "@container", "oklch(", "inert"];

    #[test]
    fn no_script_uses_what_the_oldest_browsers_lack() {
        for (name, script) in SCRIPTS {
            let code: String = script.lines().filter(|line| !line.trim_start().starts_with(['/', '*'])).collect();
            let newer: Vec<_> = NEWER.into_iter().filter(|feature| code.contains(feature)).collect();
            assert!(newer.is_empty(), "{name} uses {newer:?}");
        }
    }

    #[test]
    fn the_style_sheet_uses_nothing_that_the_oldest_browsers_lack_without_something_before_it() {
        let style = include_str!("../assets/style.css");
        let newer: Vec<_> = NEWER_STYLE.into_iter().filter(|feature| style.contains(feature)).collect();
        assert!(newer.is_empty(), "{newer:?}");
        // The older unit comes first, and stays where the newer one is not understood.
        for line in style.lines().filter(|line| line.contains("dvh")) {
            let (before, _) = line.split_once("dvh").unwrap();
            assert!(before.contains("vh"), "{line}");
        }
    }
}
