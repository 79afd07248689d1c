//! Signing in to the Administration Center.

use tests::{Call, TestStack, event};

#[tokio::test]
async fn the_story_goes_on_to_the_permanent_administrator() {
    let stack = TestStack::start().await;
    stack.started(event("sub-1", "trial")).await;
    let temporary = stack.mailed_password();

    let signed_in = stack.sign_in("Admin@Fabrikam", &temporary.to_uppercase().replace('-', " ")).await;
    assert_eq!((signed_in.status, signed_in.next()), (200, Some("reset-password")), "{signed_in:?}");
    assert_eq!(signed_in.body["user_name"], "admin@fabrikam");
    let session = signed_in.session().unwrap();
    let blank = stack.retrieve(&stack.token("dana@fabrikam.example"), "sub-1", "click").await;
    assert_eq!(blank.reasons(), ["administrator-signed-in"]);

    let chosen = "seven green boats at noon";
    let reset = stack.call("reset-password", Call::reset_password(&session, chosen)).await;
    assert_eq!((reset.status, reset.next()), (200, Some("create-administrator")), "{reset:?}");
    let service = reset.session().unwrap();
    let own = "a quiet lamp over the harbour";
    let created = stack.call("create-admin", Call::create_admin(&service, "lee@fabrikam", own).key("click")).await;
    assert_eq!((created.status, &created.body["user_name"]), (201, &"lee@fabrikam".into()), "{created:?}");

    let lee = stack.sign_in("lee@fabrikam", own).await;
    assert_eq!((lee.status, lee.next()), (200, Some("home")), "{lee:?}");
    let retired = stack.sign_in("admin@fabrikam", chosen).await;
    assert_eq!((retired.status, retired.problem()), (401, Some("invalid-credentials")));
    let dead = stack.call("create-admin", Call::create_admin(&service, "mo@fabrikam", own)).await;
    assert_eq!(dead.problem(), Some("not-signed-in"));
    let second = Call::create_admin(&lee.session().unwrap(), "mo@fabrikam", own);
    assert_eq!(stack.call("create-admin", second).await.status, 201);
}
