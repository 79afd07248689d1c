//! A chart as SVG: groups of horizontal bars with their values as text. It reads in light and dark, and without a style sheet.

use std::fmt::Write as _;

use crate::report::number;

/// A group of bars of one quantity.
#[derive(Debug)]
pub(crate) struct Group {
    /// The quantity and its unit.
    pub(crate) title: String,
    /// The name and the value of each bar.
    pub(crate) bars: Vec<(String, f64)>,
}

const WIDTH: f64 = 720.0;
/// The place where the bars begin; the names end before it.
const LEFT: f64 = 150.0;
/// The room for the value after the longest bar.
const RIGHT: f64 = 70.0;
const ROW: f64 = 22.0;
const BAR: f64 = 14.0;
const TITLE: f64 = 34.0;
const MARGIN: f64 = 10.0;

/// The colors of both modes. The first bar of each group is ours.
const STYLE: &str = "text { font: 13px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 } \
     .name { text-anchor: end } .own { fill: #0b6e4f } .other { fill: #8c959f } \
     @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .own { fill: #3fb98a } .other { fill: #6e7681 } }";

/// Returns the chart. `description` is its text for people who do not see it.
pub(crate) fn svg(description: &str, groups: &[Group]) -> String {
    let rows: f64 = groups.iter().map(|group| TITLE + count(&group.bars) * ROW).sum();
    let height = rows + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-labelledby=\"title\">\n<title id=\"title\">{}</title>\n<style>{STYLE}</style>\n",
        escape(description),
    );
    let mut top = 0.0;
    for group in groups {
        top += TITLE;
        _ = writeln!(svg, "<text class=\"title\" x=\"{MARGIN}\" y=\"{}\">{}</text>", top - 10.0, escape(&group.title));
        let longest = group.bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
        for (place, (name, value)) in group.bars.iter().enumerate() {
            let class = if place == 0 { "own" } else { "other" };
            // A bar that would be too short to be seen has one pixel.
            let width = (value / longest * (WIDTH - LEFT - RIGHT)).max(1.0);
            let (text, bar) = (top + 15.0, top + 4.0);
            _ = writeln!(svg, "<text class=\"name\" x=\"{}\" y=\"{text}\">{}</text>", LEFT - 8.0, escape(name));
            _ = writeln!(
                svg,
                "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{bar}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\"/>"
            );
            _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{text}\">{}</text>", LEFT + width + 6.0, number(*value));
            top += ROW;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn count(bars: &[(String, f64)]) -> f64 {
    f64::from(u32::try_from(bars.len()).unwrap_or(u32::MAX))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
