//! The endpoints as data: from it come the OpenAPI description, the reference page that the node
//! serves, and `docs/api.md`. Tests hold it against the router and against real answers.
//!
//! # Layout
//!
//! - [`operation`]: what is said of one endpoint
//! - [`fhir`], [`apps`], [`carestone`]: the endpoints
//! - [`parameters`]: headers, places in paths and queries that several of them share
//! - `schemas.json`: the JSON that comes and goes
//! - [`openapi`]: the description for programs; [`page`]: the page for people; [`table`]: the page
//!   of the documentation

mod apps;
mod carestone;
mod fhir;
mod openapi;
mod operation;
mod page;
mod parameters;
mod table;

use axum::{Router, routing::get};

use crate::App;
pub use openapi::document as openapi;
use operation::{Group, Operation};
pub use table::markdown;

/// The endpoints, in the order of the page.
static GROUPS: [Group; 12] = [
    fhir::DELIVERING,
    fhir::READING,
    fhir::SEARCHING,
    fhir::EXPORTING,
    fhir::IMPORTING,
    apps::APPS,
    apps::LAUNCHES,
    carestone::PATIENTS,
    carestone::CASES,
    carestone::ACCESSES,
    carestone::OPERATING,
    carestone::PUBLIC,
];

/// What the node serves to browsers alone: pages of signing in, and style sheets.
pub const PAGES: [&str; 10] = [
    "GET /smart/authorize",
    "POST /smart/authorize",
    "GET /smart/sign-in",
    "POST /smart/sign-in",
    "GET /smart/signed-on",
    "GET /smart/confirm",
    "POST /smart/confirm",
    "GET /smart/style.css",
    "GET /carestone/v1/reference",
    "GET /carestone/v1/reference/style.css",
];

/// Methods and routes that are described, as the router names them.
pub fn described() -> impl Iterator<Item = (&'static str, &'static str)> {
    operations().map(|operation| (operation.method, operation.path))
}

/// The routes of the description itself.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/openapi.json", get(openapi::serve))
        .route("/reference", get(page::serve))
        .route("/reference/style.css", get(page::style))
}

fn operations() -> impl Iterator<Item = &'static Operation> {
    GROUPS.iter().flat_map(|group| group.operations)
}
