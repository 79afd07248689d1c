//! model
mod check;
mod retrieve;
