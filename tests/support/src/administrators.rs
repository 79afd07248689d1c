//! Administrators who add, help and remove each other, and the end of a subscription, as most tests need them.

use serde_json::{Value, json};

use crate::{Answer, Call, TestStack};

impl Call {
    /// `POST /administrators` by an administrator: another one, who gets a temporary password.
    #[must_use]
    pub fn add_admin(session: &str, user_name: &str, current_password: &str) -> Self {
        let body = json!({
            "user_name": user_name, "display_name": "Mo Rahimi", "current_password": current_password,
        });
        Self::post("/administrators").session(session).json(&body)
    }

    /// `POST /administrators/{account_id}/password-resets`.
    #[must_use]
    pub fn reset_admin(session: &str, account_id: &str, current_password: &str) -> Self {
        Self::to_administrator(session, account_id, "password-resets", current_password)
    }

    /// `POST /administrators/{account_id}/removal`.
    #[must_use]
    pub fn remove_admin(session: &str, account_id: &str, current_password: &str) -> Self {
        Self::to_administrator(session, account_id, "removal", current_password)
    }

    fn to_administrator(session: &str, account_id: &str, act: &str, current_password: &str) -> Self {
        let call = Self::post(&format!("/administrators/{account_id}/{act}")).parameter("account_id", account_id);
        call.session(session).json(&json!({ "current_password": current_password }))
    }
}

impl Answer {
    /// Returns the temporary password of an administrator, if the answer shows one.
    #[must_use]
    pub fn temporary_password(&self) -> Option<&str> {
        self.body["temporary_password"].as_str()
    }
}

impl TestStack {
    /// Creates an administrator in a session of the service administrator, and signs them in for the first time. Returns their session.
    pub async fn first_administrator(&self, service: &str, user_name: &str, password: &str) -> String {
        let created = self.call("create-admin", Call::create_admin(service, user_name, password).key(user_name)).await;
        assert_eq!(created.status, 201, "{created:?}");
        self.sign_in(user_name, password).await.session().expect("signs in")
    }

    /// Adds an administrator in the session of another one, whose password is `current`. Returns the temporary password.
    pub async fn add_administrator(&self, session: &str, current: &str, user_name: &str) -> String {
        let added = self.call("create-admin", Call::add_admin(session, user_name, current).key(user_name)).await;
        assert_eq!(added.status, 201, "{added:?}");
        added.temporary_password().expect("the first answer shows the password").to_owned()
    }

    /// Adds an administrator who chooses `chosen` at once. Returns their session.
    pub async fn proven_administrator(&self, session: &str, current: &str, user_name: &str, chosen: &str) -> String {
        let temporary = self.add_administrator(session, current, user_name).await;
        self.choose_password(user_name, &temporary, chosen).await
    }

    /// Signs in with a temporary password and chooses another one. Returns the session that follows.
    pub async fn choose_password(&self, user_name: &str, temporary: &str, chosen: &str) -> String {
        let signed_in = self.sign_in(user_name, temporary).await;
        assert_eq!((signed_in.status, signed_in.next()), (200, Some("reset-password")), "{signed_in:?}");
        let session = signed_in.session().expect("signs in");
        let chosen = self.call("reset-password", Call::reset_password(&session, chosen)).await;
        assert_eq!(chosen.status, 200, "{chosen:?}");
        chosen.session().expect("chooses")
    }

    /// Returns the account of a user name, as the table has it.
    pub async fn account(&self, user_name: &str) -> Value {
        let mut accounts = self.items("ACCOUNT").await;
        accounts.retain(|item| item["PK"]["S"] == format!("ACCOUNT#{user_name}"));
        accounts.pop().unwrap_or_else(|| panic!("no account {user_name}"))
    }

    /// Returns the id of the account of a user name.
    pub async fn account_id(&self, user_name: &str) -> String {
        self.account(user_name).await["account_id"]["S"].as_str().expect("an account has an id").to_owned()
    }

    /// Publishes `SubscriptionEnded`, which must succeed at once.
    pub async fn end_subscription(&self, ended: Value) {
        assert_eq!(self.publish(ended).await, json!([]));
    }
}

/// Returns a `SubscriptionEnded` event, as the vendor's bus delivers it. It is dated ten days after [`event`](crate::event).
#[must_use]
pub fn ended(subscription: &str) -> Value {
    json!({
        "version": "0",
        "id": format!("{subscription}-ended"),
        "detail-type": "SubscriptionEnded",
        "source": "billing.contoso",
        "account": "123456789012",
        "time": "2026-11-20T09:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": { "subscription_id": subscription, "reason": "The contract has ended" },
    })
}

/// Returns an event at another time, with an id of its own.
#[must_use]
pub fn at(mut event: Value, time: &str) -> Value {
    event["id"] = format!("{} at {time}", event["id"].as_str().unwrap_or_default()).into();
    event["time"] = time.into();
    event
}
