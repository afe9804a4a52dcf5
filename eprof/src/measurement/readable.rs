//! Values that the text form of a recording writes otherwise than its binary
//! form.

/// Bytes as pairs of hexadecimal digits.
pub(super) mod hex {
    use serde::de::{Error as _, Unexpected};
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(in crate::measurement) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return bytes.serialize(serializer);
        }
        let digits = |bytes: &Vec<u8>| -> String {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        bytes.as_ref().map(digits).serialize(serializer)
    }

    pub(in crate::measurement) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        if !deserializer.is_human_readable() {
            return Option::deserialize(deserializer);
        }
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(None);
        };
        let bytes = bytes_of(&text);
        bytes.map(Some).ok_or_else(|| {
            D::Error::invalid_value(Unexpected::Str(&text), &"pairs of hexadecimal digits")
        })
    }

    fn bytes_of(text: &str) -> Option<Vec<u8>> {
        let (pairs, odd) = text.as_bytes().as_chunks::<2>();
        let digit = |of: u8| char::from(of).to_digit(16);
        let byte = |&[high, low]: &[u8; 2]| Some((digit(high)? << 4 | digit(low)?) as u8);
        odd.is_empty().then(|| pairs.iter().map(byte).collect())?
    }
}

/// Power of which infinity is written as null: JSON has no infinity.
pub(super) mod unlimited {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::unit::Watts;

    pub(in crate::measurement) fn serialize<S: Serializer>(
        power: &Watts,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return power.serialize(serializer);
        }
        power.0.is_finite().then_some(power).serialize(serializer)
    }

    pub(in crate::measurement) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Watts, D::Error> {
        if !deserializer.is_human_readable() {
            return Watts::deserialize(deserializer);
        }
        let power = Option::deserialize(deserializer)?;
        Ok(power.unwrap_or(Watts(f64::INFINITY)))
    }
}
