//! Numbers as a map from names, without those that are zero.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::{Serialize, Serializer};

pub(super) fn serialize<K: Serialize, S: Serializer>(
    numbers: impl Iterator<Item = (K, u64)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let some: Vec<(K, u64)> = numbers.filter(|(_, number)| *number != 0).collect();
    serializer.collect_map(some)
}

/// Puts each number where `place` says; a name that comes twice is an error.
pub(super) fn deserialize<'de, K: Deserialize<'de>, D: Deserializer<'de>, const N: usize>(
    deserializer: D,
    place: impl Fn(K) -> usize,
) -> Result<[u64; N], D::Error> {
    deserializer.deserialize_map(Numbers {
        place,
        names: PhantomData,
    })
}

struct Numbers<K, P, const N: usize> {
    place: P,
    names: PhantomData<K>,
}

impl<'de, K: Deserialize<'de>, P: Fn(K) -> usize, const N: usize> Visitor<'de>
    for Numbers<K, P, N>
{
    type Value = [u64; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from names to numbers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<[u64; N], A::Error> {
        let mut numbers = [None; N];
        while let Some((name, number)) = map.next_entry::<K, u64>()? {
            let cell = numbers.get_mut((self.place)(name));
            match cell {
                Some(cell @ None) => *cell = Some(number),
                _ => return Err(A::Error::custom("a name that comes twice")),
            }
        }
        Ok(numbers.map(Option::unwrap_or_default))
    }
}

#[cfg(test)]
mod tests {
    use crate::measurement::{Counter, Event, Signals};
    use crate::unit::Nanos;

    #[test]
    fn numbers_go_by_name_and_come_once() {
        let mut signals = Signals::of_time(Nanos(7));
        signals[Counter::Cycles] = 5;
        signals[Event::Wakeups] = 2;
        let text = serde_json::to_string(&signals).unwrap_or_default();
        assert_eq!(text, r#"{"on_cpu":7,"events":{"cycles":5,"wakeups":2}}"#);
        let read = |text: &str| serde_json::from_str::<Signals>(text);
        assert_eq!(read(&text).ok(), Some(signals));
        for wrong in [r#"{"cycles":5,"cycles":5}"#, r#"{"sheep":1}"#] {
            assert!(read(&format!(r#"{{"on_cpu":7,"events":{wrong}}}"#)).is_err());
        }
    }
}
