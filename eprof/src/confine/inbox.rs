//! Answers of a helper: length and content. They are foreign: whoever takes over a
//! helper says what it likes.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest answer, in bytes.
const LONGEST: usize = 16 << 20;

/// How many bytes the length has.
const HEAD: usize = size_of::<u32>();

/// An answer as it is sent.
///
/// # Errors
///
/// One that is too long.
pub(crate) fn envelope(answer: &impl Serialize) -> io::Result<Vec<u8>> {
    let body = postcard::to_stdvec(answer).map_err(io::Error::other)?;
    if body.len() > LONGEST {
        return Err(io::Error::other("an answer is too long"));
    }
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(body);
    Ok(bytes)
}

/// What came of answers so far.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
}

impl Inbox {
    /// More has come.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The answers that are whole.
    ///
    /// # Errors
    ///
    /// Something that no helper says.
    pub(crate) fn take<T: DeserializeOwned>(&mut self) -> io::Result<Vec<T>> {
        let mut answers = Vec::new();
        let mut left = self.bytes.as_slice();
        while let Some((head, rest)) = left.split_first_chunk::<HEAD>() {
            let length = u32::from_le_bytes(*head) as usize;
            if length > LONGEST {
                return Err(io::Error::other("an answer is too long"));
            }
            let Some((body, rest)) = rest.split_at_checked(length) else {
                break;
            };
            answers.push(postcard::from_bytes(body).map_err(io::Error::other)?);
            left = rest;
        }
        let used = self.bytes.len() - left.len();
        self.bytes.drain(..used);
        Ok(answers)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn answers_arrive_whole_however_they_are_cut(
            answers in prop::collection::vec(".{0,40}", 0..8),
            cut in 1_usize..50,
        ) {
            let sent: Vec<u8> = answers.iter().flat_map(|text| envelope(text).unwrap()).collect();
            let mut inbox = Inbox::default();
            let mut got: Vec<String> = Vec::new();
            for piece in sent.chunks(cut) {
                inbox.push(piece);
                got.extend(inbox.take::<String>().unwrap());
            }
            prop_assert_eq!(got, answers);
        }

        #[test]
        fn anything_else_is_refused_or_waits(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut inbox = Inbox::default();
            inbox.push(&bytes);
            if let Ok(answers) = inbox.take::<(u64, String)>() {
                prop_assert!(answers.len() <= bytes.len() / HEAD);
            }
        }
    }

    #[test]
    fn an_answer_that_claims_to_be_endless_is_refused_at_once() {
        let mut inbox = Inbox::default();
        inbox.push(&u32::MAX.to_le_bytes());
        assert!(inbox.take::<String>().is_err());
    }
}
