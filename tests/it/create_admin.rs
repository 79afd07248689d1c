//! Creating administrators.
