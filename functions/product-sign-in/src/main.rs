//! The Lambda function `product-sign-in`; see `handler.rs`.

use product_sign_in::{App, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::log_as_json();
    let app = App::new(&lambda::Settings::from_environment(), lambda::Clock::System)?;
    lambda::serve(web::endpoint(app, handle), web::malformed).await
}
