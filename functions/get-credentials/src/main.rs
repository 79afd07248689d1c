//! The Lambda function `get-credentials`; see `handler.rs`.

use get_credentials::{App, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::log_as_json();
    let app = App::new(&lambda::Settings::from_environment(), lambda::Clock::System)?;
    let preparation = app.read_ahead();
    lambda::serve_prepared(web::endpoint(app, handle), web::malformed, preparation).await
}
