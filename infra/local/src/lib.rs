//! The local cloud: everything that the product needs around it, on one machine and without an AWS account.
//!
//! | module | what it is |
//! |---|---|
//! | [`cloud`] | AWS as far as the product uses it: endpoint, queues, Pipe, console; also started by tests, in process |
//! | [`events`] | the events of `events/`, with live tokens |
//! | [`oidc`] | an OpenID Connect provider for development |
//! | [`product`] | the product as it runs, for whoever looks at it from outside |
//! | [`runtime`] | the runtime API of Lambda, for one process of a function |
//! | [`template`] | the deployment template, and what stands in it |

pub mod cloud;
pub mod events;
pub mod oidc;
pub mod product;
pub mod runtime;
pub mod template;
