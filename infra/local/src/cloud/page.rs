//! The console's page.

use askama::Template;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::inbox::Mail;
use super::requests::Request;
use super::{DeadLetter, Inner, REGION, clock};

/// The page shows the newest calls only; `GET /requests` has them all.
const CALLS: usize = 50;

#[derive(Template)]
#[template(path = "console.html")]
pub(super) struct Page {
    notice: String,
    suggested_id: String,
    links: Vec<(String, String)>,
    mails: Vec<Mail>,
    requests: Vec<Request>,
    dead_letters: Vec<DeadLetter>,
}

impl Page {
    pub(super) fn of(inner: &Inner, notice: String) -> Self {
        let suggested_id = Uuid::new_v4().simple().to_string();
        Self {
            notice,
            suggested_id: format!("sub-{}", &suggested_id[..6]),
            links: inner.links.clone(),
            mails: inner.inbox.all().into_iter().rev().collect(),
            requests: inner.requests.all().into_iter().rev().take(CALLS).collect(),
            dead_letters: inner.queues.dead_letters(),
        }
    }

    pub(super) fn html(&self) -> Result<String, askama::Error> {
        self.render()
    }
}

/// The form of the page.
#[derive(Deserialize)]
pub(super) struct StartForm {
    pub(super) subscription_id: String,
    kind: String,
    product: String,
    company_id: String,
    company_name: String,
    email: String,
    portal_user: String,
}

impl StartForm {
    /// The event that a vendor's billing system would publish.
    pub(super) fn event(self) -> Value {
        json!({
            "version": "0",
            "id": Uuid::new_v4().to_string(),
            "detail-type": "SubscriptionStarted",
            "source": "billing.contoso",
            "account": "000000000000",
            "time": clock::rfc3339(),
            "region": REGION,
            "resources": [],
            "detail": {
                "subscription_id": self.subscription_id,
                "kind": self.kind,
                "product": self.product,
                "company": { "id": self.company_id, "name": self.company_name },
                "service_administrator": { "email": self.email },
                "portal_users": [{ "email": self.portal_user }],
            },
        })
    }
}
