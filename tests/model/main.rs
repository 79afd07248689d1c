//! model
mod check;
mod mail;
mod retrieve;
