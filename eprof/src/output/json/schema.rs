//! The name of the format, and its schema.

/// The name and version of the schema.
pub const VERSION: &str = "eprof-report/1";

/// The JSON Schema (draft 2020-12) of the report.
pub const SCHEMA: &str = include_str!("../report.schema.json");
