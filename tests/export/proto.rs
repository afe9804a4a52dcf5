//! Reads pprof's protocol buffers by their wire format
//! (<https://protobuf.dev/programming-guides/encoding>), independently of what
//! wrote them.

use std::collections::BTreeSet;

/// What is looked at of a profile.
pub(crate) struct Profile {
    pub types: Vec<(String, String)>,
    pub samples: Vec<Sample>,
    pub locations: BTreeSet<u64>,
    pub strings: Vec<String>,
}

/// A sample.
pub(crate) struct Sample {
    pub locations: Vec<u64>,
    pub values: Vec<u64>,
}

/// A field: its number, and a number or bytes.
enum Field<'a> {
    Number(u64, u64),
    Bytes(u64, &'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    panic!("a number that is too long");
}

fn fields(mut bytes: &[u8]) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        fields.push(match key & 7 {
            0 => Field::Number(key >> 3, varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (inner, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(key >> 3, inner)
            }
            kind => panic!("a field of kind {kind}"),
        });
    }
    fields
}

/// Numbers one after the other.
fn packed(mut bytes: &[u8]) -> Vec<u64> {
    let mut numbers = Vec::new();
    while !bytes.is_empty() {
        numbers.push(varint(&mut bytes));
    }
    numbers
}

fn number(message: &[u8], field: u64) -> u64 {
    let number = |of: &Field<'_>| match of {
        Field::Number(at, value) if *at == field => Some(*value),
        _ => None,
    };
    fields(message).iter().find_map(number).unwrap_or(0)
}

fn numbers(message: &[u8], field: u64) -> Vec<u64> {
    let mut all = Vec::new();
    for of in fields(message) {
        match of {
            Field::Number(at, value) if at == field => all.push(value),
            Field::Bytes(at, bytes) if at == field => all.extend(packed(bytes)),
            _ => {}
        }
    }
    all
}

impl Profile {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let all = fields(bytes);
        let messages = |field: u64| -> Vec<&[u8]> {
            all.iter()
                .filter_map(|of| match of {
                    Field::Bytes(at, bytes) if *at == field => Some(*bytes),
                    _ => None,
                })
                .collect()
        };
        let strings: Vec<String> = messages(6)
            .into_iter()
            .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
            .collect();
        let string = |message: &[u8], field| strings[number(message, field) as usize].clone();
        Self {
            types: messages(1)
                .into_iter()
                .map(|of| (string(of, 1), string(of, 2)))
                .collect(),
            samples: messages(2)
                .into_iter()
                .map(|of| Sample {
                    locations: numbers(of, 1),
                    values: numbers(of, 2),
                })
                .collect(),
            locations: messages(4).into_iter().map(|of| number(of, 1)).collect(),
            strings,
        }
    }
}
