//! The function `portal`; what it does stands in `handler.rs`.

use portal::{App, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::log_as_json();
    lambda::serve(web::endpoint(App, handle), web::malformed).await
}
