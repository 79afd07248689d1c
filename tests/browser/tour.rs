//! Inspects every page, window and mail of one language. The pictures are under `target/pictures/<language>/`.

use serde_json::json;
use words::Language;

use crate::{
    Chapter,
    acts::{Customer, PRODUCT, masked},
    look::Inspector,
    mail_again::send_again,
    page::Page,
    traffic::AnswerLoss,
};

/// The people and texts of the tour in one language.
struct Cast {
    language: Language,
    customer: Customer,
    stranger: &'static str,
    administrator: &'static str,
    second: &'static str,
    message: &'static str,
}

const ENGLISH: Cast = Cast {
    language: Language::English,
    customer: Customer {
        subscription: "sub-tour-en",
        company: "contour",
        company_name: "Contour Cycles, Inc.",
        contact: "it@contour.example",
        portal_user: "dana@contour.example",
    },
    stranger: "dana.k@mail.example",
    administrator: "Lee Ahmadi",
    second: "Mo Sato",
    message: "We cannot find the welcome mail, and the window says that it was retrieved three times. Please call us.",
};

const GERMAN: Cast = Cast {
    language: Language::German,
    customer: Customer {
        subscription: "sub-tour-de",
        company: "nordwind",
        company_name: "Nordwind Großhandelsgesellschaft mbH",
        contact: "technik@nordwind.example",
        portal_user: "dana@nordwind.example",
    },
    stranger: "dana.k@mail.example",
    administrator: "Jana Weber",
    second: "Malik Sommer",
    message: "Wir finden die Willkommensnachricht nicht. Bitte rufen Sie uns an.",
};

const PSEUDO: Cast = Cast {
    language: Language::Pseudo,
    customer: Customer {
        subscription: "sub-tour-qps",
        company: "trey",
        company_name: "Trey Research",
        contact: "it@trey.example",
        portal_user: "dana@trey.example",
    },
    stranger: "dana.k@mail.example",
    administrator: "Lee Ahmadi",
    second: "Mo Sato",
    message: "0",
};

pub(crate) async fn in_english(chapter: &Chapter<'_>) {
    Tour::begin(chapter, &ENGLISH).await.run().await;
}

pub(crate) async fn in_german(chapter: &Chapter<'_>) {
    Tour::begin(chapter, &GERMAN).await.run().await;
}

pub(crate) async fn from_right_to_left(chapter: &Chapter<'_>) {
    Tour::begin(chapter, &PSEUDO).await.run().await;
}

struct Tour<'a> {
    chapter: &'a Chapter<'a>,
    cast: &'a Cast,
    inspector: Inspector,
    mailed: String,
}

impl<'a> Tour<'a> {
    async fn begin(chapter: &'a Chapter<'a>, cast: &'a Cast) -> Self {
        let mailed = chapter.start_in(&cast.customer, cast.language.code()).await;
        let customer = &cast.customer;
        let user_name = customer.user_name();
        let administrator = customer.administrator();
        let suffix = format!("@{}", customer.company);
        let (masked, second) = (masked(customer.contact), format!("mo{suffix}"));
        let mut names =
            vec![PRODUCT, customer.company_name, customer.contact, customer.portal_user, &user_name, &masked];
        names.extend([cast.stranger, cast.administrator, cast.second, &administrator, &second, &mailed]);
        names.extend(["support@contoso.example", &suffix, "English", "Deutsch", "Firstkey", "localhost", "http"]);
        let inspector = Inspector::new(cast.language, &names, &[&user_name, &administrator, &second, &mailed]);
        Self { chapter, cast, inspector, mailed }
    }

    async fn run(self) {
        if self.cast.language == Language::English {
            self.local_pages().await;
        }
        self.outside().await;
        self.list_and_windows().await;
        self.administration().await;
        self.mails().await;
        let (looks, all) = self.inspector.conclude();
        println!("browser: {looks} of {all} combinations of page and look in {}", self.cast.language.code());
    }

    async fn inspect(&self, page: &Page, name: &str) {
        self.inspector.inspect(page, name).await;
    }

    /// Visits the developers' pages of the local cloud, which are in English.
    async fn local_pages(&self) {
        let developer = self.chapter.visitor(self.cast.language).await;
        let page = developer.tab().await;
        page.journal.expect("FormInputAssignedAutocompleteValueToIdOrNameAttributeError");
        page.open(&self.chapter.world.dev.product.console).await;
        page.see(self.cast.customer.contact).await;
        self.inspect(&page, "console").await;
        let page = developer.tab().await;
        page.open("/auth/sign-in").await;
        page.see("Development provider").await;
        self.inspect(&page, "provider").await;
        page.open(&self.chapter.world.dev.product.product).await;
        page.see("This page plays the vendor's product.").await;
        self.inspect(&page, "product").await;
    }

    /// Visits the pages that need no sign-in to the product.
    async fn outside(&self) {
        let visitor = self.chapter.visitor(self.cast.language).await;
        let page = visitor.tab().await;
        page.journal.expect("the server responded with a status of 400");
        page.journal.expect("the server responded with a status of 503");
        for (name, path, text) in [
            ("start", "/", page.w.start_lead),
            ("help", "/help", page.w.help_lead),
            ("support", "/support", page.w.support_never),
            ("signed-out", "/auth/signed-out", page.w.signed_out),
            ("sign-in-refused", "/auth/callback", page.w.sign_in_stale),
        ] {
            page.open(path).await;
            page.see(text).await;
            self.inspect(&page, name).await;
            self.inspector.load_narrow(&page, name).await;
        }
        page.set_cookie("__Host-customer", &self.chapter.world.dev.token(self.cast.stranger).await).await;
        page.open("/").await;
        page.see_filled(page.w.none_for, &[("name", self.cast.stranger)]).await;
        self.inspect(&page, "no-subscriptions").await;
        let unconfirmed = json!({ "email": self.cast.stranger, "email_verified": false });
        page.set_cookie("__Host-customer", &self.chapter.world.dev.token_for(&unconfirmed).await).await;
        page.open("/").await;
        page.see_filled(page.w.unconfirmed, &[("address", self.cast.stranger)]).await;
        self.inspect(&page, "address-not-confirmed").await;
        let refused =
            |count: u32| json!({ "service": "dynamodb", "operation": "Query", "mode": "throttled", "count": count });
        self.chapter.world.dev.set_fault(&refused(100)).await;
        page.open("/").await;
        page.see(page.w.list_unavailable).await;
        self.chapter.world.dev.set_fault(&refused(0)).await;
        self.inspect(&page, "list-unavailable").await;
    }

    /// Visits the list and every window over it.
    #[expect(clippy::too_many_lines, reason = "a chapter is one story, which reads from top to bottom")]
    async fn list_and_windows(&self) {
        let customer = &self.cast.customer;
        let (dana, it) =
            (self.chapter.visitor(self.cast.language).await, self.chapter.visitor(self.cast.language).await);
        let page = dana.tab().await;
        let w = page.w;
        page.set_cookie("__Host-customer", &self.chapter.world.dev.token(customer.portal_user).await).await;
        page.open("/").await;
        page.see_filled(w.retrievals_left, &[("remaining", "3"), ("allowed", "3")]).await;
        self.inspect(&page, "subscriptions").await;
        self.inspector.load_narrow(&page, "subscriptions").await;
        self.mail_again(&page).await;

        let loss = AnswerLoss::start(&page, "*/credentials").await;
        page.click(w.go).await;
        page.see(w.offline).await;
        self.inspect(&page, "window-no-answer").await;
        loss.end().await;
        page.click(w.try_again).await;
        assert_eq!(page.shown_password().await, self.mailed);
        self.inspect(&page, "window-credentials").await;
        let sheet = crate::browser::target().join("pictures").join(self.cast.language.code()).join("credentials.pdf");
        page.save_pdf(&sheet).await;
        page.click(&format!("{}: {}", w.copy, w.temporary_password)).await;
        page.see(w.copied).await;
        self.inspect(&page, "window-copied").await;

        let other = it.tab().await;
        other.set_cookie("__Host-customer", &self.chapter.world.dev.token(customer.contact).await).await;
        other.open("/").await;
        other.click(w.go).await;
        other.see_filled(w.question_other, &[("by", customer.portal_user)]).await;
        self.inspect(&other, "window-question").await;
        other.click(&words::fill(w.question_again, &[("remaining", "2")])).await;
        other.shown_password().await;

        let third = dana.tab().await;
        third.open("/").await;
        third.click(w.go).await;
        third.see(w.question_last).await;
        self.inspect(&third, "window-last-question").await;
        third.click(&words::fill(w.question_again, &[("remaining", "1")])).await;
        third.shown_password().await;

        let fourth = it.tab().await;
        fourth.open("/").await;
        fourth.click(w.go).await;
        fourth.see(w.blank).await;
        self.inspect(&fourth, "window-blank").await;
        fourth.click(w.contact_support).await;
        fourth.see(w.support_message).await;
        fourth.fill("message", self.cast.message).await;
        self.inspect(&fourth, "window-support").await;
        fourth.click(w.support_send).await;
        fourth.see_filled(w.support_sent, &[("address", customer.contact)]).await;
        self.inspect(&fourth, "window-support-sent").await;
        fourth.journal.expect("the server responded with a status of 401");
        fourth.delete_cookie("__Host-customer").await;
        fourth.click(w.close).await;
        fourth.click(w.go).await;
        fourth.see(w.session_ended).await;
        self.inspect(&fourth, "window-signed-out").await;

        page.reload().await;
        page.see_filled(w.retrievals_left, &[("remaining", "0"), ("allowed", "3")]).await;
        self.inspect(&page, "subscriptions-none-left").await;
        page.open(&format!("/history/{}", customer.subscription)).await;
        page.see(w.entry_mail_resent).await;
        self.inspect(&page, "history").await;
    }

    /// Sends the mail again, which then bounces.
    async fn mail_again(&self, page: &Page) {
        let customer = &self.cast.customer;
        self.chapter.wait_for_mail(customer, "sent").await;
        send_again(page).await;
        page.see_filled(page.w.resent, &[("to", &masked(customer.contact))]).await;
        self.inspect(page, "window-mail-again").await;
        page.click(page.w.close).await;
        self.chapter.wait_for_mails(customer, 2).await;
        self.chapter.console("feedback", &json!({ "to": customer.contact, "event": "bounced" })).await;
        self.chapter.wait_for_mail(customer, "bounced").await;
        page.reload().await;
        page.see(page.w.step_not_delivered).await;
        self.inspect(page, "subscriptions-undelivered").await;
    }

    /// Visits the Administration Center, and the list afterwards.
    #[expect(clippy::too_many_lines, reason = "a chapter is one story, which reads from top to bottom")]
    async fn administration(&self) {
        let Cast { customer, administrator, second, .. } = self.cast;
        let lee = self.chapter.visitor(self.cast.language).await;
        let page = lee.tab().await;
        let w = page.w;
        page.journal.expect("the server responded with a status of 401");
        page.journal.expect("the server responded with a status of 422");
        page.journal.expect("the server responded with a status of 409");
        page.open("/administration").await;
        page.see(w.lost_it_link).await;
        self.inspect(&page, "administration").await;
        self.inspector.load_narrow(&page, "administration").await;
        page.fill("user_name", &customer.user_name()).await;
        page.fill("password", "not the password").await;
        page.click(w.sign_in).await;
        page.see(w.wrong_credentials).await;
        self.inspect(&page, "administration-refused").await;
        page.fill("password", &self.mailed).await;
        page.click(w.sign_in).await;
        page.arrive_at("/administration/password").await;
        page.see_filled(w.password_count, &[("count", "0")]).await;
        self.inspect(&page, "choose-password").await;
        self.inspector.load_narrow(&page, "choose-password").await;
        page.fill("new_password", "passwordpassword").await;
        page.click(w.reset_save).await;
        page.see(w.password_too_common).await;
        page.click(w.show_password).await;
        self.inspect(&page, "choose-password-refused").await;
        page.fill("new_password", "seven green boats at noon").await;
        page.click(w.reset_save).await;
        page.arrive_at("/administration/create").await;
        page.see_filled(w.create_closed, &[("user_name", &customer.user_name())]).await;
        self.inspect(&page, "create-administrator").await;
        self.inspector.load_narrow(&page, "create-administrator").await;
        page.fill("user_name", "lee").await;
        page.fill("display_name", administrator).await;
        page.fill("email", &format!("lee@{}.example", customer.company)).await;
        page.fill("password", "a quiet lamp over the harbour").await;
        page.click(w.create_submit).await;
        page.see_filled(w.created_title, &[("user_name", &customer.administrator())]).await;
        self.inspect(&page, "administrator-created").await;
        page.click(w.sign_in).await;
        page.see(w.lost_it_link).await;
        page.fill("password", "a quiet lamp over the harbour").await;
        page.click(w.sign_in).await;
        page.see_filled(w.home_title, &[("name", administrator)]).await;
        self.inspect(&page, "home").await;
        self.inspector.load_narrow(&page, "home").await;
        self.product(&page).await;
        page.click(w.add_administrator).await;
        page.see(w.create_another_lead).await;
        page.fill("user_name", "lee").await;
        page.fill("display_name", second).await;
        page.fill("current_password", "a quiet lamp over the harbour").await;
        page.click(w.add_administrator).await;
        page.see(w.user_name_taken).await;
        self.inspect(&page, "add-administrator-refused").await;
        page.fill("user_name", "mo").await;
        page.click(w.add_administrator).await;
        page.see_filled(w.handout_title, &[("name", second)]).await;
        // The answer takes the place of the form, as its reader expects.
        page.evaluate("shifts.length = 0").await;
        self.inspect(&page, "handout").await;
        page.click(w.handout_done).await;
        page.see_filled(w.administrators, &[("count", "2")]).await;
        self.inspect(&page, "home-two").await;
        self.team(&page).await;

        page.set_cookie("__Host-customer", &self.chapter.world.dev.token(customer.portal_user).await).await;
        page.open("/").await;
        page.see(w.state_handed_over).await;
        self.inspect(&page, "subscriptions-done").await;
        page.click(w.go).await;
        page.see_filled(w.reason_signed_in_and_changed, &[]).await;
        self.inspect(&page, "window-blank-done").await;
    }

    /// Visits the pages on the way to the product, and returns.
    async fn product(&self, page: &Page) {
        let (w, place) = (page.w, [("product", PRODUCT)]);
        page.expect_withheld_cookies();
        page.journal.expect("the server responded with a status of 400");
        page.click(&words::fill(w.open_product, &place)).await;
        page.arrive_at("/oidc/continue?").await;
        page.see_filled(w.continue_title, &place).await;
        self.inspect(page, "continue").await;
        self.inspector.load_narrow(page, "continue").await;
        page.click(w.continue_not_you).await;
        page.see(w.continue_sign_in).await;
        self.inspect(page, "sign-in-again").await;
        page.open("/oidc/authorize?client_id=unknown").await;
        page.see(w.product_refused_lead).await;
        self.inspect(page, "product-refused").await;
        page.open("/administration").await;
        page.see_filled(w.home_title, &[("name", self.cast.administrator)]).await;
    }

    /// Visits the pages about a colleague, and about one's own password.
    async fn team(&self, page: &Page) {
        let (w, second) = (page.w, self.cast.second);
        for (name, link, text) in [
            ("reset-administrator", format!("{}: {second}", w.reset_other), w.reset_other_lead),
            ("remove-administrator", format!("{}: {second}", w.remove_other), w.remove_lead),
            ("change-password", w.change_password.to_owned(), w.change_lead),
            ("removed-administrators", w.former_title.to_owned(), w.former_none),
        ] {
            page.click(&link).await;
            page.see(text).await;
            self.inspect(page, name).await;
            page.open("/administration").await;
        }
    }

    /// Visits the mails. There are none in the pseudo-language.
    async fn mails(&self) {
        if self.cast.language == Language::Pseudo {
            return;
        }
        let visitor = self.chapter.visitor(self.cast.language).await;
        let page = visitor.tab().await;
        for (name, address) in
            [("mail-welcome", self.cast.customer.contact), ("mail-support", "support@contoso.example")]
        {
            let about = if name == "mail-support" { self.cast.customer.subscription } else { "" };
            let mail = self.chapter.last_mail_containing(address, about).await;
            page.open("about:blank").await;
            page.show_html(mail["html"].as_str().unwrap()).await;
            self.inspect(&page, name).await;
        }
    }
}
