//! Choosing a password.
