use std::fmt;

use crate::action_facts::{ActionFacts, Level, ResourceType};
use crate::action_table::ACTIONS;

/// A known action of S3, IAM or STS: its index in the table of AWS's Service Authorization Reference.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action(u16);

/// The action of a request: a known one, or the name of one that is not in the table (`ec2:RunInstances`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestAction<'a> {
    /// An action of the table.
    Known(Action),
    /// Any other `service:Name`, as the request spells it.
    Other(&'a str),
}

impl Action {
    /// How many actions the table has.
    pub const COUNT: usize = ACTIONS.len();

    pub(crate) const GET_CALLER_IDENTITY: Self = Self::at("sts:GetCallerIdentity");
    pub(crate) const OF_BUCKET_POLICY: [Self; 3] =
        [Self::at("s3:GetBucketPolicy"), Self::at("s3:PutBucketPolicy"), Self::at("s3:DeleteBucketPolicy")];

    /// The action with exactly this name. A name that is not in the table does not compile.
    #[expect(clippy::panic, clippy::indexing_slicing, reason = "runs when the crate is compiled")]
    pub(crate) const fn at(name: &str) -> Self {
        let mut place = 0;
        while place < ACTIONS.len() {
            if same(ACTIONS[place].name.as_bytes(), name.as_bytes()) {
                return Self(place as u16);
            }
            place += 1;
        }
        panic!("no such action");
    }

    /// The action with this name, ignoring case: `s3:getobject` is `s3:GetObject`.
    pub fn named(name: &str) -> Option<Self> {
        Self::found(hash_ignoring_case(name.as_bytes()), |action| action.as_str().eq_ignore_ascii_case(name))
    }

    /// The same for a name without its service: `iam` and `CreateUser`.
    pub fn of_service(service: &str, name: &str) -> Option<Self> {
        let hash = [service, ":", name].iter().fold(NO_BYTES, |hash, part| hash_on(hash, part.as_bytes()));
        Self::found(hash, |action| {
            let parts = action.as_str().split_once(':');
            parts.is_some_and(|(of, rest)| of.eq_ignore_ascii_case(service) && rest.eq_ignore_ascii_case(name))
        })
    }

    fn found(hash: u32, is_it: impl Fn(&Self) -> bool) -> Option<Self> {
        let first = BY_HASH.partition_point(|(other, _)| *other < hash);
        let same_hash = BY_HASH.get(first..)?.iter().take_while(|(other, _)| *other == hash);
        same_hash.map(|(_, place)| Self(*place)).find(is_it)
    }

    /// The name as AWS spells it: `s3:GetObject`.
    pub fn as_str(self) -> &'static str {
        self.facts().name
    }

    /// `s3`, `iam` or `sts`.
    pub fn service(self) -> &'static str {
        self.as_str().split(':').next().unwrap_or_default()
    }

    /// The access level.
    pub fn level(self) -> Level {
        self.facts().level
    }

    /// Service and access level, such as `s3:Read`. Metrics count decisions by it.
    pub fn group(self) -> &'static str {
        use Level::*;
        match (self.service(), self.level()) {
            ("s3", List) => "s3:List",
            ("s3", Read) => "s3:Read",
            ("s3", Write) => "s3:Write",
            ("s3", Tagging) => "s3:Tagging",
            ("s3", Permissions) => "s3:Permissions",
            ("iam", List) => "iam:List",
            ("iam", Read) => "iam:Read",
            ("iam", Write) => "iam:Write",
            ("iam", Tagging) => "iam:Tagging",
            ("iam", Permissions) => "iam:Permissions",
            (_, List) => "sts:List",
            (_, Read) => "sts:Read",
            (_, Write) => "sts:Write",
            (_, Tagging) => "sts:Tagging",
            (_, Permissions) => "sts:Permissions",
        }
    }

    /// The types of resource that the action applies to; empty for actions that take only `*`.
    pub fn resource_types(self) -> &'static [ResourceType] {
        self.facts().resources
    }

    /// The service's own condition keys that requests for this action can carry. A name that ends in `/` is a family of
    /// keys.
    pub fn condition_keys(self) -> &'static [&'static str] {
        self.facts().keys
    }

    /// All known actions, by name.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..ACTIONS.len()).filter_map(|place| u16::try_from(place).ok().map(Self))
    }

    /// The known actions whose names begin with this text, ignoring case.
    pub(crate) fn with_prefix(prefix: &str) -> impl Iterator<Item = Self> {
        let prefix = prefix.as_bytes();
        let cut = |facts: &ActionFacts| {
            let name = facts.name.as_bytes();
            compare_ignoring_case(name.get(..prefix.len()).unwrap_or(name), prefix)
        };
        let first = ACTIONS.partition_point(|facts| cut(facts).is_lt());
        let end = ACTIONS.partition_point(|facts| cut(facts).is_le());
        (first..end).filter_map(|place| u16::try_from(place).ok().map(Self))
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    #[expect(clippy::indexing_slicing, reason = "an Action always holds a valid index of the table")]
    fn facts(self) -> &'static ActionFacts {
        &ACTIONS[usize::from(self.0)]
    }
}

/// The table's indices sorted by the hash of their names; computed when the crate is compiled.
static BY_HASH: [(u32, u16); ACTIONS.len()] = by_hash();

#[expect(clippy::indexing_slicing, reason = "runs when the crate is compiled")]
const fn by_hash() -> [(u32, u16); ACTIONS.len()] {
    let mut all = [(0, 0); ACTIONS.len()];
    let mut count = 0;
    while count < all.len() {
        let entry = (hash_ignoring_case(ACTIONS[count].name.as_bytes()), count as u16);
        let mut place = count;
        while place > 0 && all[place - 1].0 > entry.0 {
            all[place] = all[place - 1];
            place -= 1;
        }
        all[place] = entry;
        count += 1;
    }
    all
}

/// FNV-1a over the name in lower case.
const fn hash_ignoring_case(name: &[u8]) -> u32 {
    hash_on(NO_BYTES, name)
}

/// The hash of no bytes.
const NO_BYTES: u32 = 0x811c_9dc5;

/// The hash of a longer name, from that of its beginning.
#[expect(clippy::indexing_slicing, reason = "the index is below the length")]
const fn hash_on(mut hash: u32, name: &[u8]) -> u32 {
    let mut place = 0;
    while place < name.len() {
        hash = (hash ^ name[place].to_ascii_lowercase() as u32).wrapping_mul(0x0100_0193);
        place += 1;
    }
    hash
}

#[expect(clippy::indexing_slicing, reason = "runs when the crate is compiled")]
const fn same(left: &[u8], right: &[u8]) -> bool {
    let mut place = 0;
    while place < left.len() && place < right.len() && left[place] == right[place] {
        place += 1;
    }
    place == left.len() && place == right.len()
}

fn compare_ignoring_case(left: &[u8], right: &[u8]) -> std::cmp::Ordering {
    left.iter().map(u8::to_ascii_lowercase).cmp(right.iter().map(u8::to_ascii_lowercase))
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Action> for RequestAction<'_> {
    fn from(action: Action) -> Self {
        Self::Known(action)
    }
}

impl<'a> RequestAction<'a> {
    /// The known action with this name, or else the name itself.
    pub fn named(name: &'a str) -> Self {
        Action::named(name).map_or(Self::Other(name), Self::Known)
    }

    /// The action's name.
    pub fn as_str(&self) -> &'a str {
        match self {
            Self::Known(action) => action.as_str(),
            Self::Other(name) => name,
        }
    }
}

const WORDS: usize = Action::COUNT.div_ceil(64);

/// A set of known actions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub(crate) struct ActionSet([u64; WORDS]);

impl ActionSet {
    pub fn insert(&mut self, action: Action) {
        if let Some(word) = self.0.get_mut(action.index() / 64) {
            *word |= 1 << (action.index() % 64);
        }
    }

    pub fn contains(&self, action: Action) -> bool {
        self.0.get(action.index() / 64).is_some_and(|word| word >> (action.index() % 64) & 1 == 1)
    }

    /// How many actions the set has.
    pub fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// The actions of the set.
    pub fn iter(&self) -> impl Iterator<Item = Action> {
        (0_u16..).step_by(64).zip(self.0).flat_map(|(first, word)| {
            let mut word = word;
            let bits = std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros())?;
                word &= word - 1;
                u16::try_from(bit).ok()
            });
            bits.map(move |bit| first + bit).filter(|place| usize::from(*place) < Action::COUNT).map(Action)
        })
    }

    pub fn complement(self) -> Self {
        Self(self.0.map(|word| !word))
    }

    pub fn union(self, other: Self) -> Self {
        let mut all = self;
        for (mine, theirs) in all.0.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_found_by_its_name_in_any_case() {
        for action in Action::all() {
            assert_eq!(Action::named(action.as_str()), Some(action));
            assert_eq!(Action::named(&action.as_str().to_uppercase()), Some(action));
            let (service, name) = action.as_str().split_once(':').unwrap();
            assert_eq!(Action::of_service(service, name), Some(action));
            assert_eq!(Action::of_service(service, &name.to_uppercase()), Some(action));
        }
        for (service, name) in [("s3", "GetObjec"), ("", "s3:GetObject"), ("s3:", "GetObject"), ("iam", "GetObject")] {
            assert_eq!(Action::of_service(service, name), None, "{service} {name}");
        }
        for (name, want) in
            [("s3:GetObjec", None), ("", None), ("GetObject", None), ("s3:getobject", Some("s3:GetObject"))]
        {
            assert_eq!(Action::named(name).map(Action::as_str), want, "{name}");
        }
    }

    /// Names that share a hash would be compared one by one. The lookup is fast because no two do.
    #[test]
    fn no_two_names_share_a_hash() {
        assert!(BY_HASH.iter().zip(BY_HASH.iter().skip(1)).all(|((one, _), (next, _))| one < next));
    }

    #[test]
    fn groups_are_service_and_access_level() {
        for action in Action::all() {
            assert_eq!(action.group(), format!("{}:{:?}", action.service(), action.level()), "{action}");
        }
    }

    #[test]
    fn counts_of_the_reference() {
        let of = |service| Action::all().filter(|action| action.service() == service).count();
        assert_eq!((of("s3"), of("iam"), of("sts")), (180, 190, 16));
    }

    #[test]
    fn a_set_and_its_complement_share_nothing() {
        let mut set = ActionSet::default();
        for action in Action::all().step_by(7) {
            set.insert(action);
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), Action::all().step_by(7).collect::<Vec<_>>());
        assert_eq!(set.iter().count() + set.complement().iter().count(), Action::COUNT);
        for action in Action::all() {
            assert_eq!(set.contains(action), action.index() % 7 == 0, "{action}");
            assert_ne!(set.contains(action), set.complement().contains(action), "{action}");
        }
    }
}
