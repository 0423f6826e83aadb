//! The names of condition operators.

use super::nearest::nearest;

/// What an operator compares, and whether it is negated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Comparison {
    StringEquals,
    StringNotEquals,
    StringEqualsIgnoreCase,
    StringNotEqualsIgnoreCase,
    StringLike,
    StringNotLike,
    NumericEquals,
    NumericNotEquals,
    NumericLessThan,
    NumericLessThanEquals,
    NumericGreaterThan,
    NumericGreaterThanEquals,
    DateEquals,
    DateNotEquals,
    DateLessThan,
    DateLessThanEquals,
    DateGreaterThan,
    DateGreaterThanEquals,
    Bool,
    BinaryEquals,
    IpAddress,
    NotIpAddress,
    ArnEquals,
    ArnLike,
    ArnNotEquals,
    ArnNotLike,
    Null,
}

/// How an operator treats the values of a multivalued key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum SetQualifier {
    ForAllValues,
    ForAnyValue,
}

/// An operator as a policy names it: `ForAnyValue:StringLikeIfExists`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Operator {
    pub set: Option<SetQualifier>,
    pub comparison: Comparison,
    pub if_exists: bool,
}

const NAMES: [(&str, Comparison); 27] = [
    ("StringEquals", Comparison::StringEquals),
    ("StringNotEquals", Comparison::StringNotEquals),
    ("StringEqualsIgnoreCase", Comparison::StringEqualsIgnoreCase),
    ("StringNotEqualsIgnoreCase", Comparison::StringNotEqualsIgnoreCase),
    ("StringLike", Comparison::StringLike),
    ("StringNotLike", Comparison::StringNotLike),
    ("NumericEquals", Comparison::NumericEquals),
    ("NumericNotEquals", Comparison::NumericNotEquals),
    ("NumericLessThan", Comparison::NumericLessThan),
    ("NumericLessThanEquals", Comparison::NumericLessThanEquals),
    ("NumericGreaterThan", Comparison::NumericGreaterThan),
    ("NumericGreaterThanEquals", Comparison::NumericGreaterThanEquals),
    ("DateEquals", Comparison::DateEquals),
    ("DateNotEquals", Comparison::DateNotEquals),
    ("DateLessThan", Comparison::DateLessThan),
    ("DateLessThanEquals", Comparison::DateLessThanEquals),
    ("DateGreaterThan", Comparison::DateGreaterThan),
    ("DateGreaterThanEquals", Comparison::DateGreaterThanEquals),
    ("Bool", Comparison::Bool),
    ("BinaryEquals", Comparison::BinaryEquals),
    ("IpAddress", Comparison::IpAddress),
    ("NotIpAddress", Comparison::NotIpAddress),
    ("ArnEquals", Comparison::ArnEquals),
    ("ArnLike", Comparison::ArnLike),
    ("ArnNotEquals", Comparison::ArnNotEquals),
    ("ArnNotLike", Comparison::ArnNotLike),
    ("Null", Comparison::Null),
];

impl Operator {
    /// The operator with exactly this name.
    pub fn named(name: &str) -> Option<Self> {
        let (set, rest) = match name.split_once(':') {
            None => (None, name),
            Some(("ForAllValues", rest)) => (Some(SetQualifier::ForAllValues), rest),
            Some(("ForAnyValue", rest)) => (Some(SetQualifier::ForAnyValue), rest),
            Some(_) => return None,
        };
        let (bare, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |bare| (bare, true));
        let (_, comparison) = NAMES.iter().find(|(name, _)| *name == bare)?;
        let null_is_bare = *comparison != Comparison::Null || (set.is_none() && !if_exists);
        null_is_bare.then_some(Self { set, comparison: *comparison, if_exists })
    }

    /// The operator nearest to a name that is not an operator.
    pub fn nearest(name: &str) -> Option<String> {
        let (prefix, rest) = name.rsplit_once(':').map_or(("", name), |(prefix, rest)| (prefix, rest));
        let prefix = match prefix {
            "" => "",
            prefix => nearest(prefix, ["ForAllValues", "ForAnyValue"])?,
        };
        let bare = rest.strip_suffix("IfExists").unwrap_or(rest);
        let bare_name = nearest(bare, NAMES.iter().map(|(name, _)| *name))?;
        let colon = if prefix.is_empty() { "" } else { ":" };
        let if_exists = if bare.len() < rest.len() && bare_name != "Null" { "IfExists" } else { "" };
        Some(format!("{prefix}{colon}{bare_name}{if_exists}"))
    }
}

impl Comparison {
    /// Whether it is the negation of another operator: several values then form a NOR, and an absent key matches.
    pub fn is_negated(self) -> bool {
        use Comparison::*;
        matches!(
            self,
            StringNotEquals
                | StringNotEqualsIgnoreCase
                | StringNotLike
                | NumericNotEquals
                | DateNotEquals
                | NotIpAddress
                | ArnNotEquals
                | ArnNotLike
        )
    }

    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, comparison)| *comparison == self).map_or("", |(name, _)| name)
    }
}

impl std::fmt::Display for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.set {
            None => {}
            Some(SetQualifier::ForAllValues) => f.write_str("ForAllValues:")?,
            Some(SetQualifier::ForAnyValue) => f.write_str("ForAnyValue:")?,
        }
        f.write_str(self.comparison.name())?;
        f.write_str(if self.if_exists { "IfExists" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_reads_and_prints() {
        for (name, comparison) in NAMES {
            assert_eq!(Operator::named(name), Some(Operator { set: None, comparison, if_exists: false }));
            for name in
                [format!("{name}IfExists"), format!("ForAnyValue:{name}"), format!("ForAllValues:{name}IfExists")]
            {
                let read = Operator::named(&name).map(|operator| operator.to_string());
                assert_eq!(read, (comparison != Comparison::Null).then_some(name.clone()), "{name}");
            }
            assert_eq!(comparison.is_negated(), name.contains("Not"), "{name}");
        }
    }

    #[test]
    fn an_unknown_name_has_a_nearest_operator() {
        for (name, want) in [
            ("StringEqual", Some("StringEquals")),
            ("ForAnyValues:StringLke", Some("ForAnyValue:StringLike")),
            ("NumericLesThanIfExists", Some("NumericLessThanIfExists")),
            ("StringLikeIgnoreCase", Some("StringEqualsIgnoreCase")),
            ("Regex", None),
            ("stringequals", Some("StringEquals")),
            ("", None),
        ] {
            assert_eq!(Operator::named(name), None, "{name}");
            assert_eq!(Operator::nearest(name).as_deref(), want, "{name}");
        }
    }
}
