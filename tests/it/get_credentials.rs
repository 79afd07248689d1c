//! Retrieving the temporary password.

use futures_util::future::join_all;
use tests::{TestStack, event};

#[tokio::test]
async fn three_retrievals_then_blank() {
    let stack = TestStack::start().await;
    stack.started(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    let mail = &stack.cloud.inbox()[0];
    for n in 1..=3 {
        let answer = stack.retrieve(&dana, "sub-1", &format!("click-{n}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(mail.text.contains(answer.password().unwrap()));
    }
    let answer = stack.retrieve(&dana, "sub-1", "click-4").await;
    assert_eq!((answer.password(), answer.reasons()), (None, vec!["retrieved-three-times"]));
}

#[tokio::test]
async fn of_200_at_once_three_are_shown_the_password() {
    let stack = TestStack::start().await;
    stack.started(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    let answers = join_all((0..200).map(|n| {
        let (stack, dana) = (&stack, &dana);
        async move { stack.retrieve(dana, "sub-1", &format!("click-{n}")).await }
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.password().is_some()).count(), 3);
    assert_eq!(answers.iter().filter(|answer| answer.reasons() == ["retrieved-three-times"]).count(), 197);
}
