//! The style sheet and the scripts.

use page::{Asset, Brand};
use web::Reply;

/// Every file that pages load.
pub(crate) struct Assets {
    pub(crate) style: Asset,
    pub(crate) icon: Asset,
    pub(crate) page: Asset,
    pub(crate) portal: Asset,
    pub(crate) administration: Asset,
    common: Asset,
}

const DIRECTORY: &str = "/assets";

impl Assets {
    /// Builds the files, with the vendor's colour in the style sheet.
    pub(crate) fn new(brand: &Brand) -> Self {
        let common = Asset::common_script(DIRECTORY);
        let script = |name, content: &str| Asset::script(DIRECTORY, name, content, &common);
        Self {
            style: Asset::style(DIRECTORY, brand, ""),
            icon: Asset::icon(DIRECTORY),
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

#[cfg(test)]
mod tests {
    const SCRIPTS: [(&str, &str); 3] = [
        ("administration.js", include_str!("../assets/administration.js")),
        ("page.js", include_str!("../assets/page.js")),
        ("portal.js", include_str!("../assets/portal.js")),
    ];

    #[test]
    fn no_script_uses_what_the_oldest_browsers_lack() {
        for (name, script) in SCRIPTS {
            let newer = page::asset::newer_in(script);
            assert!(newer.is_empty(), "{name} uses {newer:?}");
        }
    }
}
