//! The vendor's name, colour and logo.

use std::fmt;

use lambda::Settings;

/// What makes the pages the vendor's own.
pub(crate) struct Brand {
    /// `Contoso`.
    pub(crate) vendor: String,
    /// An https address, or nothing: then the name stands in its place.
    pub(crate) logo: Option<String>,
    color: Color,
}

/// A colour of sRGB.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Color([u8; 3]);

/// A setting of the brand that does not read.
#[derive(Debug)]
pub(crate) struct InvalidBrand(&'static str);

const WHITE: Color = Color([0xff; 3]);

/// The darkest surface that text in the vendor's colour stands on, at night.
const NIGHT: Color = Color([0x1d, 0x22, 0x25]);

/// Where the vendor has said nothing: spruce.
const USUAL: Color = Color([0x1b, 0x5e, 0x54]);

/// WCAG 2.2, 1.4.3 asks for 4.5; surfaces that are a shade off white take a little of it.
const CONTRAST: f64 = 5.2;

impl Brand {
    /// With the settings `VENDOR_NAME` or else `SENDER`, `BRAND_COLOR` (`#rrggbb`), `BRAND_LOGO`.
    pub(crate) fn new(settings: &Settings) -> Result<Self, InvalidBrand> {
        let sender = || settings.optional("SENDER").and_then(|sender| name_of(&sender));
        let vendor = settings.optional("VENDOR_NAME").or_else(sender).ok_or(InvalidBrand("VENDOR_NAME"))?;
        let logo = settings.optional("BRAND_LOGO");
        if logo.as_deref().is_some_and(|logo| origin_of(logo).is_none()) {
            return Err(InvalidBrand("BRAND_LOGO"));
        }
        let color = settings.parsed("BRAND_COLOR", USUAL, Color::parse).map_err(|_| InvalidBrand("BRAND_COLOR"))?;
        Ok(Self { vendor, logo, color })
    }

    /// Where the logo comes from, for the policy of the pages.
    pub(crate) fn logo_origin(&self) -> Option<&str> {
        self.logo.as_deref().and_then(origin_of)
    }

    /// The colour as the style uses it: dark enough for white text by day, light enough for the night.
    pub(crate) fn style(&self) -> String {
        let day = self.color.until(WHITE, |color| color.towards(Color([0; 3])));
        let night = self.color.until(NIGHT, |color| color.towards(WHITE));
        format!(":root{{--day:{day};--night:{night}}}\n")
    }
}

impl Color {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        // A number may have a sign; a colour has none.
        let digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digits)?;
        let number = u32::from_str_radix(digits, 16).ok()?;
        let [_, rgb @ ..] = number.to_be_bytes();
        Some(Self(rgb))
    }

    /// Changed as little as it takes to be read on `ground`.
    fn until(self, ground: Self, change: impl Fn(Self) -> Self) -> Self {
        let mut color = self;
        for _ in 0..64 {
            if color.contrast(ground) >= CONTRAST {
                break;
            }
            color = change(color);
        }
        color
    }

    /// A sixteenth of the way.
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

    /// WCAG 2.2, "contrast ratio".
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// WCAG 2.2, "relative luminance".
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
        write!(f, "the setting {} is missing, or not what it should be", self.0)
    }
}

impl std::error::Error for InvalidBrand {}

/// The display name of `Contoso <credentials@contoso.example>`; without one, the domain.
fn name_of(sender: &str) -> Option<String> {
    let (name, address) = sender.rsplit_once('<').map_or(("", sender), |(name, address)| (name, address));
    let name = name.trim().trim_matches('"').trim();
    let domain = address.trim_end_matches('>').rsplit_once('@').map(|(_, domain)| domain);
    if name.is_empty() { domain.map(str::to_owned) } else { Some(name.to_owned()) }
}

/// `https://cdn.contoso.example` of an address below it. Only what can stand in a policy is one.
fn origin_of(address: &str) -> Option<&str> {
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
    fn the_vendor_is_named_by_a_setting_or_by_the_sender() {
        for (name, value, vendor) in [
            ("VENDOR_NAME", "Contoso", "Contoso"),
            ("SENDER", "Contoso <a@contoso.example>", "Contoso"),
            ("SENDER", "\"Contoso, Inc.\" <a@contoso.example>", "Contoso, Inc."),
            ("SENDER", "a@contoso.example", "contoso.example"),
        ] {
            assert_eq!(brand(&[(name, value)]).unwrap().vendor, vendor);
        }
        assert!(brand(&[]).is_err());
    }

    #[test]
    fn any_colour_can_be_read_by_day_and_by_night() {
        for color in ["#000000", "#ffffff", "#ffff00", "#0000ff", "#7f7f7f", "#1b5e54"] {
            let style = brand(&[("VENDOR_NAME", "C"), ("BRAND_COLOR", color)]).unwrap().style();
            let after = |name: &str| Color::parse(&style[style.find(name).unwrap() + name.len()..][..7]).unwrap();
            assert!(after("--day:").contrast(WHITE) >= CONTRAST, "{color}: {style}");
            assert!(after("--night:").contrast(NIGHT) >= CONTRAST, "{color}: {style}");
        }
        assert!((WHITE.contrast(Color([0; 3])) - 21.0).abs() < 1e-9);
    }

    #[test]
    fn what_could_leave_the_policy_or_the_style_is_refused() {
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
