//! The language of a page.

use std::time::Duration;

use http::header;
use web::{
    Reply, Request,
    cookie::{self, SameSite},
    request::query_parameter,
};
use words::{Language, Languages};

/// The cookie with the language that the reader has chosen.
const COOKIE: &str = "__Host-language";

/// How long the choice of a language lasts.
const LIFETIME: Duration = Duration::from_hours(24 * 365);

/// The language of a page, and whether this request chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The language.
    pub language: Language,
    is_made_here: bool,
}

impl Choice {
    /// Returns the language that the request's query names, else the one of its cookie, else the one that its browser prefers.
    #[must_use]
    pub fn new(request: &Request, languages: Languages) -> Self {
        let switched = query_parameter(request, "language").and_then(|code| languages.find(&code));
        let chosen = || cookie::get(request.headers(), COOKIE).and_then(|code| languages.find(code));
        let accepted = || {
            let header = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|header| header.to_str().ok());
            Language::preferred(header.unwrap_or_default())
        };
        let language = switched.or_else(chosen).unwrap_or_else(accepted);
        Self { language, is_made_here: switched.is_some() }
    }

    /// Returns the languages that the reader can switch to.
    pub fn others(self) -> impl Iterator<Item = Language> {
        Language::ALL.into_iter().filter(move |language| *language != self.language)
    }

    /// Remembers a choice that this request makes.
    pub(crate) fn remember(self, reply: Reply) -> Reply {
        if !self.is_made_here {
            return reply;
        }
        cookie::set(reply, COOKIE, self.language.code(), LIFETIME, SameSite::Lax)
    }
}
