//! The style sheet and the script.

use page::{Asset, Brand};
use web::Reply;

/// Every file that pages load.
pub(crate) struct Assets {
    pub(crate) style: Asset,
    pub(crate) icon: Asset,
    pub(crate) desk: Asset,
    common: Asset,
}

const DIRECTORY: &str = "/desk/assets";

impl Assets {
    /// Builds the files, with the vendor's colour in the style sheet.
    pub(crate) fn new(brand: &Brand) -> Self {
        let common = Asset::common_script(DIRECTORY);
        Self {
            style: Asset::style(DIRECTORY, brand, include_str!("../assets/desk.css")),
            icon: Asset::icon(DIRECTORY),
            desk: Asset::script(DIRECTORY, "desk", include_str!("../assets/desk.js"), &common),
            common,
        }
    }

    /// Returns the file at a path.
    pub(crate) fn reply(&self, path: &str) -> Option<Reply> {
        let all = [&self.style, &self.icon, &self.desk, &self.common];
        all.into_iter().find(|asset| asset.path == path).map(Asset::reply)
    }
}

#[cfg(test)]
mod tests {
    use page::asset::{newer_in, newer_in_style};

    #[test]
    fn nothing_uses_what_the_oldest_browsers_lack() {
        let newer = newer_in(include_str!("../assets/desk.js"));
        assert!(newer.is_empty(), "{newer:?}");
        let newer = newer_in_style(include_str!("../assets/desk.css"));
        assert!(newer.is_empty(), "{newer:?}");
    }
}
