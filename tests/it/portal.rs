//! Every other path.

use tests::{Call, TestStack};

#[tokio::test]
async fn a_path_that_no_function_has_is_a_problem_document() {
    let stack = TestStack::start().await;
    for path in ["/", "/nothing", "/subscriptions/x/y/z"] {
        let answer = stack.call("portal", Call::get(path)).await;
        assert_eq!((answer.status, answer.problem()), (404, Some("not-found")));
        assert_eq!(answer.body["type"], "urn:firstkey:problem:not-found");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    assert!(stack.cloud.requests().is_empty());
}
