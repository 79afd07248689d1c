//! The steps that several chapters share.

use std::time::Duration;

use lambda_http::http::Request;
use serde_json::{Value, json};

use crate::{Chapter, page::Page};

/// A customer of the vendor.
#[derive(Clone, Copy)]
pub(crate) struct Customer {
    pub(crate) subscription: &'static str,
    pub(crate) company: &'static str,
    pub(crate) company_name: &'static str,
    /// The address of the technical contact, who gets the welcome mail and may retrieve as well.
    pub(crate) contact: &'static str,
    /// The address of a portal user, who has lost the mail.
    pub(crate) portal_user: &'static str,
}

pub(crate) const PRODUCT: &str = "Contoso Online Suite";

impl Customer {
    /// Returns the service administrator's user name, such as `admin@fabrikam`.
    pub(crate) fn user_name(&self) -> String {
        format!("admin@{}", self.company)
    }

    /// Returns an administrator's user name, such as `lee@fabrikam`.
    pub(crate) fn administrator(&self) -> String {
        format!("lee@{}", self.company)
    }

    fn event(&self) -> Value {
        json!({
            "version": "0", "id": format!("{}-started", self.subscription), "detail-type": "SubscriptionStarted",
            "source": "billing.contoso", "account": "123456789012", "time": "2026-11-10T09:00:00Z", "region": "us-east-1",
            "resources": [],
            "detail": {
                "subscription_id": self.subscription, "kind": "trial", "product": PRODUCT,
                "company": { "id": self.company, "name": self.company_name },
                "service_administrator": { "email": self.contact },
                "portal_users": [{ "email": self.portal_user }],
            },
        })
    }
}

/// Returns the masked form of an address, such as `i•@fabrikam.example`.
pub(crate) fn masked(address: &str) -> String {
    let (local, domain) = address.split_once('@').unwrap();
    format!("{}•@{domain}", &local[..1])
}

impl Chapter<'_> {
    /// Publishes the start of a trial, as the vendor's billing system does; returns the temporary password in the mail.
    pub(crate) async fn start(&self, customer: &Customer) -> String {
        self.publish(customer.event()).await;
        self.mailed_password(customer.contact).await
    }

    /// Publishes the start of a trial with a language; returns the temporary password in the mail.
    pub(crate) async fn start_in(&self, customer: &Customer, locale: &str) -> String {
        let mut event = customer.event();
        event["detail"]["locale"] = locale.into();
        self.publish(event).await;
        self.mailed_password(customer.contact).await
    }

    pub(crate) async fn publish(&self, event: Value) {
        let request = Request::post(format!("{}/events", self.world.dev.product.console));
        let (_, answer) = self.world.dev.send(request, Some(&event)).await;
        assert_eq!(answer, json!({ "batchItemFailures": [] }));
    }

    /// Waits for a mail to an address that is no notice; returns the last one.
    pub(crate) async fn last_mail_to(&self, address: &str) -> Value {
        self.last_mail_containing(address, "").await
    }

    /// Waits for such a mail with this text; returns the last one.
    pub(crate) async fn last_mail_containing(&self, address: &str, text: &str) -> Value {
        let is_notice = |mail: &Value| mail["tags"]["mail"].as_str().is_some_and(|tag| tag.starts_with("notice-"));
        let has_text = |mail: &Value| mail["text"].as_str().is_some_and(|all| all.contains(text));
        let matches = |mail: &Value| mail["to"] == address && !is_notice(mail) && has_text(mail);
        for _ in 0..300 {
            if let Some(mail) = self.world.dev.inbox().await.into_iter().rfind(matches) {
                return mail;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no mail was sent to {address}");
    }

    pub(crate) async fn mailed_password(&self, address: &str) -> String {
        let mail = self.last_mail_to(address).await;
        let is_password = |line: &&str| line.len() == 23 && line.split('-').all(|group| group.len() == 5);
        mail["text"].as_str().unwrap().lines().find(is_password).expect("the mail has a password").to_owned()
    }

    /// Returns the number of retrievals left, as the product reports it.
    pub(crate) async fn remaining_retrievals(&self, customer: &Customer) -> u64 {
        let token = self.world.dev.token(customer.portal_user).await;
        let request = Request::get(format!("{}/subscriptions", self.world.dev.product.functions));
        let (_, list) = self.world.dev.send(request.header("authorization", format!("Bearer {token}")), None).await;
        let all = list["subscriptions"].as_array().unwrap();
        let one = all.iter().find(|one| one["subscription_id"] == customer.subscription).unwrap();
        one["credentials"]["retrievals_remaining"].as_u64().unwrap()
    }
}

impl Page {
    /// Expects that the browser reports the session cookie that it withholds from a visit from the product, which is another site.
    pub(crate) fn expect_withheld_cookies(&self) {
        for issue in ["ExcludeSameSiteStrict", "CrossSiteRedirectDowngradeChangesInclusion"] {
            self.journal.expect(issue);
        }
    }

    /// Signs in at the provider, from a page that requires it and back.
    pub(crate) async fn sign_in(&self, email: &str) {
        let provider = words::fill(self.w.default_provider, &[("vendor", "Contoso")]);
        self.click(&words::fill(self.w.sign_in_with, &[("provider", &provider)])).await;
        self.sign_in_at_provider(email).await;
    }

    /// Signs in at the local provider, which accepts any address.
    pub(crate) async fn sign_in_at_provider(&self, email: &str) {
        self.see("Development provider").await;
        self.fill("email", email).await;
        self.click("Sign in").await;
        self.arrive_at(&format!("{}/", self.origin)).await;
    }

    /// Opens the portal and signs in.
    pub(crate) async fn visit(&self, email: &str) {
        self.open("/").await;
        self.sign_in(email).await;
        self.see(self.w.your_subscriptions).await;
    }

    /// Returns the temporary password in the window.
    pub(crate) async fn shown_password(&self) -> String {
        self.see(self.w.temporary_password).await;
        self.read("dialog .password").await
    }
}
