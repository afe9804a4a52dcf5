//! What people and programs read: tables, JSON, CSV, folded stacks, pictures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed assumption is a failed test"
)]

#[path = "output/agreement.rs"]
mod agreement;
#[path = "output/cases.rs"]
mod cases;
#[path = "output/commands.rs"]
mod commands;
#[path = "output/documents.rs"]
mod documents;
#[path = "output/golden.rs"]
mod golden;
#[path = "output/ledgers.rs"]
mod ledgers;
#[path = "output/live.rs"]
mod live;
#[path = "output/parse.rs"]
mod parse;
#[path = "output/pictures.rs"]
mod pictures;
#[path = "output/schema.rs"]
mod schema;
#[path = "output/schemas.rs"]
mod schemas;
#[path = "output/synthetic.rs"]
mod synthetic;
#[path = "output/tables.rs"]
mod tables;
