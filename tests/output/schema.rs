//! The part of JSON Schema (draft 2020-12) that the report's schema uses; an
//! unknown keyword is an error, so that nothing goes unchecked.

use serde_json::Value;

/// Every way in which `value` breaks `schema`, with where.
pub(crate) fn errors(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => {}
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                let target = root.pointer(pointer).expect("a $ref that leads somewhere");
                found.extend(errors(root, target, value, at));
            }
            "type" => {
                let one = [rule.clone()];
                let types = rule.as_array().map_or(&one[..], Vec::as_slice);
                if !types.iter().any(|name| is(value, name.as_str().unwrap())) {
                    found.push(format!("{at}: {value} is not {rule}"));
                }
            }
            "const" if value != rule => found.push(format!("{at}: {value} is not {rule}")),
            "enum" if !rule.as_array().unwrap().contains(value) => {
                found.push(format!("{at}: {value} is none of {rule}"));
            }
            "const" | "enum" => {}
            "minimum" => {
                if value.as_f64().is_some_and(|n| n < rule.as_f64().unwrap()) {
                    found.push(format!("{at}: {value} is below {rule}"));
                }
            }
            "required" => {
                let Some(object) = value.as_object() else {
                    continue;
                };
                for key in rule.as_array().unwrap() {
                    if !object.contains_key(key.as_str().unwrap()) {
                        found.push(format!("{at}: lacks {key}"));
                    }
                }
            }
            "properties" => {
                let Some(object) = value.as_object() else {
                    continue;
                };
                for (key, property) in rule.as_object().unwrap() {
                    if let Some(inner) = object.get(key) {
                        found.extend(errors(root, property, inner, &format!("{at}/{key}")));
                    }
                }
            }
            "additionalProperties" => {
                let Some(object) = value.as_object() else {
                    continue;
                };
                let known = schema.get("properties").and_then(Value::as_object);
                for (key, inner) in object {
                    if known.is_some_and(|known| known.contains_key(key)) {
                        continue;
                    }
                    if rule == &Value::Bool(false) {
                        found.push(format!("{at}: unknown key {key}"));
                    } else {
                        found.extend(errors(root, rule, inner, &format!("{at}/{key}")));
                    }
                }
            }
            "items" => {
                for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(errors(root, rule, inner, &format!("{at}/{index}")));
                }
            }
            other => panic!("the schema uses a keyword that is not checked: {other}"),
        }
    }
    found
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("no such type: {other}"),
    }
}
