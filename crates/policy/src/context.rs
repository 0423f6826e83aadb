use std::borrow::Cow;
use std::num::NonZeroUsize;

use smallvec::SmallVec;

/// The condition keys of one request. Names ignore ASCII case, tag keys included (IAM User Guide, "Condition").
///
/// Whether a key is single-valued or multivalued depends on how it was set, not on how many values it has:
/// `aws:TagKeys` with one tag is multivalued. A key that was never set is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// For each value of a hash's first bits: the last entry with them.
    last: [Option<Place>; 1 << BITS],
    entries: Vec<Entry>,
}

/// The most characters of the values of one key. A browser leaves the path out of a longer `Referer`. Source: W3C Referrer
/// Policy, "Determine request's Referrer".
const CHARACTERS_MAX: usize = 4096;

/// The most characters where one key has lists of values: 50 tag keys of 128 characters, or a head of 8 KiB full of grantees,
/// which is all that AWS takes.
const LIST_CHARACTERS_MAX: usize = 8192;

/// The keys with lists in single values.
const GRANTS: &str = "s3:x-amz-grant-";

/// The keys whose values come from the server or from the request. Those of identity providers, such as the groups of a
/// directory, have the length that the provider gives them.
const BOUNDED: [&str; 4] = ["aws:", "s3:", "iam:", "sts:"];

/// The values of a condition key are longer than what policies are compared with.
///
/// A part of the value is not used instead, because a Deny could then be avoided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the condition key {key} has more than {most} characters: send a shorter value")]
pub struct ValueTooLong {
    /// The key.
    pub key: String,
    /// The most characters of its values together.
    pub most: usize,
}

/// The number of bits: enough that the keys of a request rarely share them.
const BITS: u32 = 5;

/// The index of an entry, plus one.
type Place = NonZeroUsize;

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    hash: u64,
    /// The previous entry whose hash begins with the same bits.
    before: Option<Place>,
    name: Cow<'static, str>,
    values: SmallVec<[String; 1]>,
    multivalued: bool,
}

impl Entry {
    fn is_too_long(&self) -> bool {
        let most = self.characters_max();
        let bytes: usize = self.values.iter().map(String::len).sum();
        let characters = || self.values.iter().map(|value| value.chars().count()).sum::<usize>();
        bytes > most && BOUNDED.iter().any(|service| begins_with(&self.name, service)) && characters() > most
    }

    fn characters_max(&self) -> usize {
        let has_lists = self.multivalued || begins_with(&self.name, GRANTS);
        if has_lists { LIST_CHARACTERS_MAX } else { CHARACTERS_MAX }
    }
}

/// Ignores ASCII case, as names do.
fn begins_with(name: &str, start: &str) -> bool {
    name.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}

/// A condition key's name, with the hash by which it is found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyName {
    hash: u64,
    /// In lower case.
    name: Box<str>,
}

impl KeyName {
    pub fn new(name: &str) -> Self {
        Self { hash: hash_ignoring_case(name), name: name.to_ascii_lowercase().into() }
    }

    /// The name in lower case.
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

/// The values of one key as the request carries them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<'a> {
    pub values: &'a [String],
    pub multivalued: bool,
}

impl<'a> Values<'a> {
    /// The value, if the key is single-valued and has one.
    pub fn single(&self) -> Option<&'a str> {
        match self.values {
            [value] if !self.multivalued => Some(value),
            _ => None,
        }
    }
}

impl Context {
    /// An empty context with room for the keys of a request.
    pub fn new() -> Self {
        Self { entries: Vec::with_capacity(24), ..Self::default() }
    }

    /// Sets a single-valued key. Replaces what it had.
    pub fn set(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        self.put(key.into(), SmallVec::from_iter([value.into()]), false);
    }

    /// Adds a value to a single-valued key. A request has several only because of tags whose keys differ only in case.
    /// The condition of an Allow must then hold for every value, that of a Deny for at least one.
    pub fn add(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        let key = key.into();
        let hash = hash_ignoring_case(&key);
        match self.place(hash, &key).and_then(|place| self.entries.get_mut(place)) {
            Some(entry) => entry.values.push(value.into()),
            None => self.append(hash, key, SmallVec::from_iter([value.into()]), false),
        }
    }

    /// Sets a multivalued key. Replaces what it had. The key is present even if it has no values.
    pub fn set_many(&mut self, key: impl Into<Cow<'static, str>>, values: impl IntoIterator<Item = String>) {
        self.put(key.into(), values.into_iter().collect(), true);
    }

    /// The key's values; `None` if it is absent.
    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.find(hash_ignoring_case(key), key).map(|found| found.values)
    }

    /// Whether the key was set with [`Context::set_many`].
    pub fn is_multivalued(&self, key: &str) -> bool {
        self.find(hash_ignoring_case(key), key).is_some_and(|found| found.multivalued)
    }

    /// All keys with their values, spelled as they were when first set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.entries.iter().map(|entry| (&*entry.name, entry.values.as_slice()))
    }

    /// A copy without the keys that `keep` rejects.
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        let mut kept = Self::new();
        for entry in self.entries.iter().filter(|entry| keep(&entry.name)) {
            kept.put(entry.name.clone(), entry.values.clone(), entry.multivalued);
        }
        kept
    }

    /// Fails for a key whose values together are too long. Whatever sets keys from a request asks this before anything is
    /// decided: a decision compares each pattern of a policy with all of the value.
    pub fn require_bounded(&self) -> Result<(), ValueTooLong> {
        match self.entries.iter().find(|entry| entry.is_too_long()) {
            None => Ok(()),
            Some(entry) => Err(ValueTooLong { key: entry.name.to_string(), most: entry.characters_max() }),
        }
    }

    pub(crate) fn lookup(&self, key: &KeyName) -> Option<Values<'_>> {
        self.find(key.hash, &key.name)
    }

    fn put(&mut self, name: Cow<'static, str>, values: SmallVec<[String; 1]>, multivalued: bool) {
        let hash = hash_ignoring_case(&name);
        match self.place(hash, &name).and_then(|place| self.entries.get_mut(place)) {
            Some(entry) => (entry.values, entry.multivalued) = (values, multivalued),
            None => self.append(hash, name, values, multivalued),
        }
    }

    /// Adds a key that is not there yet.
    fn append(&mut self, hash: u64, name: Cow<'static, str>, values: SmallVec<[String; 1]>, multivalued: bool) {
        let place = Place::MIN.checked_add(self.entries.len());
        let before = self.last.get_mut(first_bits(hash)).and_then(|last| std::mem::replace(last, place));
        self.entries.push(Entry { hash, before, name, values, multivalued });
    }

    fn find(&self, hash: u64, name: &str) -> Option<Values<'_>> {
        let entry = self.entries.get(self.place(hash, name)?)?;
        Some(Values { values: &entry.values, multivalued: entry.multivalued })
    }

    fn place(&self, hash: u64, name: &str) -> Option<usize> {
        let mut next = *self.last.get(first_bits(hash))?;
        while let Some(place) = next.map(|place| place.get() - 1) {
            let entry = self.entries.get(place)?;
            if entry.hash == hash && is_same_name(&entry.name, name) {
                return Some(place);
            }
            next = entry.before;
        }
        None
    }
}

fn first_bits(hash: u64) -> usize {
    usize::try_from(hash >> (u64::BITS - BITS)).unwrap_or_default()
}

/// Whether two names are equal, ignoring ASCII case. Compares eight bytes at a time, because every condition does this
/// once.
fn is_same_name(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    // The last eight bytes may overlap the ones before them.
    let (Some(end), Some(other_end)) = (one.last_chunk::<8>(), other.last_chunk::<8>()) else {
        return one.eq_ignore_ascii_case(other);
    };
    let (chunks, other_chunks) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
    let same = |(one, other): (&[u8; 8], &[u8; 8])| lower_case(*one) == lower_case(*other);
    one.len() == other.len() && chunks.iter().zip(other_chunks).all(same) && same((end, other_end))
}

/// Eight bytes in lower case. For a byte below 128, the top bits of the two sums say whether it is at least `A` and
/// whether it is greater than `Z`. A quarter of that bit is the difference between a capital and a small letter.
fn lower_case(bytes: [u8; 8]) -> u64 {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    let word = u64::from_ne_bytes(bytes);
    let low = word & (EACH * 0x7f);
    let capital = (low + EACH * (0x80 - 0x41)) & !(low + EACH * (0x80 - 0x5b)) & !word & (EACH * 0x80);
    word | (capital >> 2)
}

/// The hash of a name, ignoring ASCII case, eight bytes at a time. It only narrows the search: names are compared as well.
fn hash_ignoring_case(name: &str) -> u64 {
    let (chunks, rest) = name.as_bytes().as_chunks::<8>();
    let mut end = [0; 8];
    end.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
    let words = chunks.iter().chain([&end]).map(|chunk| lower_case(*chunk));
    // The odd constant is 2^64 divided by the golden ratio. The first bits of a product depend on all bits of the word.
    words.fold(name.len() as u64, |hash, word| (hash.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ignore_case_and_the_last_value_stays() {
        let mut context = Context::new();
        context.set("aws:SourceIp", "10.0.0.1");
        context.set("AWS:SOURCEIP", "10.0.0.2");
        context.set_many("aws:TagKeys", ["a".to_owned()]);
        context.set_many("aws:CalledVia", []);
        assert_eq!(context.get("aws:sourceip"), Some(&["10.0.0.2".to_owned()][..]));
        assert_eq!(context.get("aws:CalledVia"), Some(&[][..]));
        assert_eq!(context.get("aws:missing"), None);
        assert_eq!(
            context.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            ["aws:SourceIp", "aws:TagKeys", "aws:CalledVia"]
        );
        assert!(context.is_multivalued("aws:tagkeys") && !context.is_multivalued("aws:SourceIp"));
        let single = |key| context.lookup(&KeyName::new(key)).and_then(|values| values.single());
        assert_eq!((single("aws:sourceIP"), single("aws:TagKeys"), single("aws:x")), (Some("10.0.0.2"), None, None));
    }

    #[test]
    fn added_values_stay_and_filtered_keys_go() {
        let mut context = Context::new();
        context.add("aws:RequestTag/Team", "blue");
        context.add("aws:RequestTag/team", "red");
        context.set_many("aws:TagKeys", ["Team".to_owned(), "team".to_owned()]);
        assert_eq!(context.get("AWS:requesttag/TEAM"), Some(&["blue".to_owned(), "red".to_owned()][..]));
        assert!(!context.is_multivalued("aws:RequestTag/team"));
        let kept = context.filtered(|key| key != "aws:RequestTag/Team");
        assert_eq!((kept.get("aws:RequestTag/team"), kept.is_multivalued("aws:tagkeys")), (None, true));
        assert_eq!(context.filtered(|_| true).get("aws:requesttag/team"), context.get("aws:requesttag/team"));
    }

    #[test]
    fn long_values_are_refused() {
        let long = |characters: usize| "\u{e9}".repeat(characters);
        let single = |key: &str, values: &[usize]| {
            let mut context = Context::new();
            context.set("aws:SourceIp", "10.0.0.1");
            values.iter().for_each(|characters| context.add(key.to_owned(), long(*characters)));
            context
        };
        let many = |key: &str, values: &[usize]| {
            let mut context = Context::new();
            context.set_many(key.to_owned(), values.iter().map(|characters| long(*characters)));
            context
        };
        for (what, context, most) in [
            ("nothing", Context::new(), None),
            ("the most", single("aws:UserAgent", &[4096]), None),
            ("one more", single("aws:UserAgent", &[4097]), Some(("aws:UserAgent", 4096))),
            ("in capitals", single("AWS:REFERER", &[4097]), Some(("AWS:REFERER", 4096))),
            ("values count together", single("s3:x-amz-copy-source", &[4096, 1]), Some(("s3:x-amz-copy-source", 4096))),
            ("grantees", single("s3:x-amz-grant-read", &[8192]), None),
            ("more grantees", single("s3:x-amz-grant-read", &[8193]), Some(("s3:x-amz-grant-read", 8192))),
            ("50 tag keys", many("aws:TagKeys", &[128; 50]), None),
            ("more tag keys", many("aws:TagKeys", &[128; 65]), Some(("aws:TagKeys", 8192))),
            ("of the IAM API", single("iam:PolicyARN", &[4097]), Some(("iam:PolicyARN", 4096))),
            ("of the STS API", single("sts:ExternalId", &[4097]), Some(("sts:ExternalId", 4096))),
            ("groups of a directory", many("ldap:groups", &[100_000]), None),
            ("a claim", single("accounts.example.com:sub", &[100_000]), None),
        ] {
            let got = context.require_bounded().err();
            assert_eq!(got, most.map(|(key, most)| ValueTooLong { key: key.to_owned(), most }), "{what}");
        }
    }

    #[test]
    fn eight_bytes_are_lower_cased_as_one_by_one() {
        for byte in 0..=u8::MAX {
            for place in 0..8 {
                let mut bytes = *b"aZ@[`{\x80\xff";
                bytes[place] = byte;
                assert_eq!(lower_case(bytes).to_ne_bytes(), bytes.map(|byte| byte.to_ascii_lowercase()), "{bytes:?}");
            }
        }
        for (one, other, want) in [
            ("", "", true),
            ("aws:SourceIp", "AWS:sourceIP", true),
            ("aws:SourceIp", "aws:SourceIq", false),
            ("aws:SourceIp", "bws:SourceIp", false),
            ("aws:SourceIp", "aws:Source", false),
            ("s3:ExistingObjectTag/K\u{c4}", "s3:existingobjecttag/k\u{c4}", true),
            ("s3:ExistingObjectTag/K\u{c4}", "s3:existingobjecttag/k\u{e4}", false),
            ("12345678@", "12345678`", false),
            ("1234567@", "1234567`", false),
        ] {
            assert_eq!(is_same_name(one, other), want, "{one} {other}");
        }
    }

    #[test]
    fn names_that_share_a_hash_are_distinguished() {
        let mut context = Context::new();
        let names: Vec<String> = (0..1_000).map(|number| format!("a:{number}")).collect();
        names.iter().for_each(|name| context.set(name.clone(), name.as_str()));
        assert!(names.iter().all(|name| context.get(name).is_some_and(|values| values.concat() == *name)));
        assert!(context.get("a:1000").is_none());
        // All names get the same hash.
        for (place, entry) in context.entries.iter_mut().enumerate() {
            (entry.hash, entry.before) = (7, Place::new(place));
        }
        context.last = [Place::new(names.len()); 1 << BITS];
        for name in &names {
            let found = context.find(7, &name.to_ascii_uppercase()).map(|found| found.values.concat());
            assert_eq!(found.as_ref(), Some(name));
        }
        assert!(context.find(7, "a:1000").is_none() && context.find(8, "a:1").is_none());
    }
}
