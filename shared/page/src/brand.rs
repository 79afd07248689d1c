//! The vendor's name, colour and logo.

use std::fmt;

use lambda::Settings;

/// The settings that give the pages the vendor's look.
pub struct Brand {
    /// The vendor's name, such as `Contoso`.
    pub vendor: String,
    /// The https address of the logo; without one, the pages show the name.
    pub logo: Option<String>,
    color: Color,
}

/// An sRGB colour.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Color([u8; 3]);

/// A brand setting that is missing or invalid.
#[derive(Debug)]
pub struct InvalidBrand(&'static str);

const WHITE: Color = Color([0xff; 3]);

/// The background of text in the vendor's colour in dark mode.
const NIGHT: Color = Color([0x1d, 0x22, 0x25]);

/// The colour without a setting: spruce.
const DEFAULT: Color = Color([0x1b, 0x5e, 0x54]);

/// The least contrast of text. WCAG 2.2, 1.4.3 requires 4.5; the rest makes up for backgrounds that are not pure white.
const CONTRAST: f64 = 5.2;

impl Brand {
    /// Reads the settings `VENDOR_NAME`, or else `SENDER`, `BRAND_COLOR` (`#rrggbb`), `BRAND_LOGO`.
    pub fn new(settings: &Settings) -> Result<Self, InvalidBrand> {
        let vendor = settings.vendor_name().map_err(|_| InvalidBrand("VENDOR_NAME"))?;
        let logo = settings.optional("BRAND_LOGO");
        if logo.as_deref().is_some_and(|logo| parse_origin(logo).is_none()) {
            return Err(InvalidBrand("BRAND_LOGO"));
        }
        let color = settings.parsed("BRAND_COLOR", DEFAULT, Color::parse).map_err(|_| InvalidBrand("BRAND_COLOR"))?;
        Ok(Self { vendor, logo, color })
    }

    /// Returns the origin of the logo, for the content security policy.
    #[must_use]
    pub fn logo_origin(&self) -> Option<&str> {
        self.logo.as_deref().and_then(parse_origin)
    }

    /// Returns the colours for the style sheet: dark enough for white text in light mode, light enough for text in dark mode. Each also as
    /// its three numbers, for `rgb()` with an opacity: `color-mix()` is newer than the oldest browsers.
    #[must_use]
    pub fn style(&self) -> String {
        let day = self.color.adjusted(WHITE, |color| color.towards(Color([0; 3])));
        let night = self.color.adjusted(NIGHT, |color| color.towards(WHITE));
        let (day_rgb, night_rgb) = (day.numbers(), night.numbers());
        format!(":root{{--day:{day};--day-rgb:{day_rgb};--night:{night};--night-rgb:{night_rgb}}}\n")
    }
}

impl Color {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        // `from_str_radix` accepts a sign, which a colour must not have.
        let digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digits)?;
        let number = u32::from_str_radix(digits, 16).ok()?;
        let [_, rgb @ ..] = number.to_be_bytes();
        Some(Self(rgb))
    }

    /// Changes the colour in small steps until it has enough contrast on `ground`.
    fn adjusted(self, ground: Self, change: impl Fn(Self) -> Self) -> Self {
        let mut color = self;
        for _ in 0..64 {
            if color.contrast(ground) >= CONTRAST {
                break;
            }
            color = change(color);
        }
        color
    }

    /// Returns the colour a sixteenth of the way to another.
    fn towards(self, other: Self) -> Self {
        let step = |from: u8, to: u8| {
            let (from, to) = (i16::from(from), i16::from(to));
            let step = (to - from) / 16;
            let least = (to - from).signum();
            u8::try_from(from + if step == 0 { least } else { step }).unwrap_or_default()
        };
        let Self([red, green, blue]) = self;
        Self([step(red, other.0[0]), step(green, other.0[1]), step(blue, other.0[2])])
    }

    /// Returns the numbers as `rgb()` takes them: `27 94 84`.
    fn numbers(self) -> String {
        self.0.map(|number| number.to_string()).join(" ")
    }

    /// Returns the contrast ratio of WCAG 2.2.
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// Returns the relative luminance of WCAG 2.2.
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl fmt::Display for InvalidBrand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the setting {} is missing or invalid", self.0)
    }
}

impl std::error::Error for InvalidBrand {}

/// Returns the origin of an https address, such as `https://cdn.contoso.example`, if it is safe to put into a content security policy.
fn parse_origin(address: &str) -> Option<&str> {
    let rest = address.strip_prefix("https://")?;
    let host = rest.split('/').next()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
    (!host.is_empty() && host.bytes().all(plain)).then(|| &address[.."https://".len() + host.len()])
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn brand(settings: &[(&str, &str)]) -> Result<Brand, InvalidBrand> {
        let all = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Brand::new(&Settings::given(all.collect::<HashMap<_, _>>()))
    }

    #[test]
    fn every_colour_is_readable_in_light_and_dark_mode() {
        for color in ["#000000", "#ffffff", "#ffff00", "#0000ff", "#7f7f7f", "#1b5e54"] {
            let style = brand(&[("VENDOR_NAME", "C"), ("BRAND_COLOR", color)]).unwrap().style();
            let after = |name: &str| Color::parse(&style[style.find(name).unwrap() + name.len()..][..7]).unwrap();
            assert!(after("--day:").contrast(WHITE) >= CONTRAST, "{color}: {style}");
            assert!(after("--night:").contrast(NIGHT) >= CONTRAST, "{color}: {style}");
        }
        assert!((WHITE.contrast(Color([0; 3])) - 21.0).abs() < 1e-9);
    }

    #[test]
    fn a_colour_is_also_given_as_its_numbers() {
        let style = brand(&[("VENDOR_NAME", "C"), ("BRAND_COLOR", "#1b5e54")]).unwrap().style();
        assert!(style.contains("--day:#1b5e54;--day-rgb:27 94 84;"), "{style}");
    }

    #[test]
    fn values_that_could_break_out_of_the_policy_or_the_style_are_rejected() {
        for logo in [
            "http://a.example/l.svg",
            "https:///l.svg",
            "https://a.example; script-src *",
            "https://a b/",
            "data:image/svg+xml,",
        ] {
            assert!(brand(&[("VENDOR_NAME", "C"), ("BRAND_LOGO", logo)]).is_err(), "{logo}");
        }
        for color in ["red", "#12345", "#12345g", "#+12345", "#1234567", "1b5e54"] {
            assert!(brand(&[("VENDOR_NAME", "C"), ("BRAND_COLOR", color)]).is_err(), "{color}");
        }
        let logo = brand(&[("VENDOR_NAME", "C"), ("BRAND_LOGO", "https://cdn.example:8443/l.svg")]).unwrap();
        assert_eq!(logo.logo_origin(), Some("https://cdn.example:8443"));
    }
}
