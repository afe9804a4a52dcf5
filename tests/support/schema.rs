//! Documents against the JSON Schemas that describe them.

use jsonschema::Validator;
use serde_json::Value;

/// A schema, which must be one itself.
pub(crate) struct Schema(Validator);

impl Schema {
    pub(crate) fn new(text: &str) -> Self {
        let schema: Value = serde_json::from_str(text).unwrap();
        Self(jsonschema::validator_for(&schema).unwrap())
    }

    /// Every way in which `document` breaks it, with where.
    pub(crate) fn errors(&self, document: &Value) -> Vec<String> {
        let errors = self.0.iter_errors(document);
        errors
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }
}
