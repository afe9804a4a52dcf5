//! What people and programs read: tables, JSON, CSV, folded stacks, pictures.
mod agreement;
mod cases;
mod commands;
mod documents;
mod golden;
mod ledgers;
mod live;
mod parse;
mod pictures;
mod schemas;
mod synthetic;
mod tables;
