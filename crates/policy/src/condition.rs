//! Condition operators, by the rules of the IAM User Guide, "Condition operators" and "Multivalued context keys".

use std::borrow::Cow;
use std::cmp::Ordering;

use ids::{Network, parse_address};

use crate::arn_pattern::ArnPattern;
use crate::context::{Context, KeyName, Values};
use crate::grammar::{self, Comparison, Effect, Operator, SetQualifier};
use crate::pattern::Pattern;
use crate::template::{Special, Variable};
use crate::value::{Decimal, Instant, binary_equals, decode_binary, encode_binary, parse_bool};

/// AWS's documentation writes its values with and without a leading slash; requests may send either.
const COPY_SOURCE: &str = "s3:x-amz-copy-source";

/// One operator with one key, ready to be evaluated.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub operator: Operator,
    pub key: KeyName,
    test: Test,
}

/// The policy's values, in the type of the operator. A value that is not of this type equals nothing.
#[derive(Clone, Debug)]
enum Test {
    Text(Box<[Pattern]>),
    TextIgnoringCase(Box<[Pattern]>),
    Arn(Box<[ArnPattern]>),
    Number(Relation, Box<[Box<str>]>),
    Date(Relation, Box<[Instant]>),
    Bool(Box<[bool]>),
    Binary(Box<[Box<[u8]>]>),
    Address(Box<[Network]>),
    /// Whether `true` is among the values, and whether `false` is.
    Null {
        absent: bool,
        present: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Relation {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }

    fn of(comparison: Comparison) -> Self {
        use Comparison::*;
        match comparison {
            NumericLessThan | DateLessThan => Self::Less,
            NumericLessThanEquals | DateLessThanEquals => Self::LessOrEqual,
            NumericGreaterThan | DateGreaterThan => Self::Greater,
            NumericGreaterThanEquals | DateGreaterThanEquals => Self::GreaterOrEqual,
            _ => Self::Equal,
        }
    }
}

impl Condition {
    pub fn new(condition: &grammar::Condition, variables: bool) -> Self {
        let key = KeyName::new(&condition.key);
        let mut values = Cow::Borrowed(&*condition.values);
        if key.as_str() == COPY_SOURCE {
            values.to_mut().extend(condition.values.iter().map(|value| other_spelling(value)));
        }
        Self { operator: condition.operator, key, test: Test::new(condition.operator.comparison, &values, variables) }
    }

    /// Whether the request fulfils the condition of a statement with this effect.
    pub fn holds(&self, context: &Context, effect: Effect) -> bool {
        let found = context.lookup(&self.key).filter(|found| !found.values.is_empty());
        let Some(Values { values, multivalued }) = found else { return self.holds_absent() };
        if let Test::Null { present, .. } = self.test {
            return present;
        }
        let negated = self.operator.comparison.is_negated();
        let member = |value: &String| self.test.matches(value, context) != negated;
        match self.operator.set {
            // Several values come from tags whose keys differ only in case. It is undefined which one counts, so a Deny
            // needs any, an Allow all.
            _ if !multivalued && values.len() > 1 && effect == Effect::Deny => values.iter().any(member),
            _ if !multivalued => values.iter().all(member),
            // A multivalued key needs a set operator; without one the condition says nothing about it.
            None => false,
            Some(SetQualifier::ForAllValues) => values.iter().all(member),
            Some(SetQualifier::ForAnyValue) => values.iter().any(member),
        }
    }

    fn holds_absent(&self) -> bool {
        match (&self.test, self.operator.set) {
            (Test::Null { absent, .. }, _) => *absent,
            (_, Some(SetQualifier::ForAllValues)) => true,
            // Even with IfExists: measured on AWS.
            (_, Some(SetQualifier::ForAnyValue)) => false,
            (_, None) => self.operator.if_exists || self.operator.comparison.is_negated(),
        }
    }

    /// What the request is compared with, as text.
    pub fn expected(&self) -> Vec<String> {
        match &self.test {
            Test::Text(patterns) | Test::TextIgnoringCase(patterns) => {
                patterns.iter().map(Pattern::to_string).collect()
            }
            Test::Arn(patterns) => patterns.iter().map(ArnPattern::to_string).collect(),
            Test::Number(_, numbers) => numbers.iter().map(|number| number.to_string()).collect(),
            Test::Date(_, dates) => dates.iter().map(Instant::to_string).collect(),
            Test::Bool(wanted) => wanted.iter().map(bool::to_string).collect(),
            Test::Binary(wanted) => wanted.iter().map(|bytes| encode_binary(bytes)).collect(),
            Test::Address(ranges) => ranges.iter().map(Network::to_string).collect(),
            Test::Null { absent, present } => [("true", absent), ("false", present)]
                .iter()
                .filter(|(_, there)| **there)
                .map(|(text, _)| (*text).to_owned())
                .collect(),
        }
    }

    /// How many values the policy has.
    pub fn values_count(&self) -> usize {
        match &self.test {
            Test::Text(values) | Test::TextIgnoringCase(values) => values.len(),
            Test::Arn(values) => values.len(),
            Test::Number(_, values) => values.len(),
            Test::Date(_, values) => values.len(),
            Test::Bool(values) => values.len(),
            Test::Binary(values) => values.len(),
            Test::Address(values) => values.len(),
            Test::Null { .. } => 1,
        }
    }

    /// Its values, if they are text patterns.
    pub fn patterns(&self) -> &[Pattern] {
        match &self.test {
            Test::Text(patterns) | Test::TextIgnoringCase(patterns) => patterns,
            _ => &[],
        }
    }

    /// Its values, if they are ARN patterns.
    pub fn arn_patterns(&self) -> &[ArnPattern] {
        match &self.test {
            Test::Arn(patterns) => patterns,
            _ => &[],
        }
    }

    /// The variables in its values.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        let in_texts = self.patterns().iter().flat_map(Pattern::variables);
        in_texts.chain(self.arn_patterns().iter().flat_map(ArnPattern::variables))
    }
}

/// The copy source with a leading slash added, or with its leading slash removed.
fn other_spelling(source: &str) -> String {
    source.strip_prefix('/').map_or_else(|| format!("/{source}"), str::to_owned)
}

impl Test {
    fn new(comparison: Comparison, values: &[String], variables: bool) -> Self {
        use Comparison::*;
        let patterns = |wildcards| -> Box<[Pattern]> {
            values.iter().map(|value| Pattern::parse(value, Special { wildcards, variables })).collect()
        };
        match comparison {
            StringEquals | StringNotEquals => Self::Text(patterns(false)),
            StringEqualsIgnoreCase | StringNotEqualsIgnoreCase => Self::TextIgnoringCase(patterns(false)),
            StringLike | StringNotLike => Self::Text(patterns(true)),
            ArnEquals | ArnLike | ArnNotEquals | ArnNotLike => {
                Self::Arn(values.iter().map(|value| ArnPattern::new(value, variables)).collect())
            }
            NumericEquals
            | NumericNotEquals
            | NumericLessThan
            | NumericLessThanEquals
            | NumericGreaterThan
            | NumericGreaterThanEquals => {
                let numbers = values.iter().filter(|value| Decimal::parse(value).is_some());
                Self::Number(Relation::of(comparison), numbers.map(|value| value.as_str().into()).collect())
            }
            DateEquals
            | DateNotEquals
            | DateLessThan
            | DateLessThanEquals
            | DateGreaterThan
            | DateGreaterThanEquals => {
                Self::Date(Relation::of(comparison), values.iter().filter_map(|value| Instant::parse(value)).collect())
            }
            Bool => Self::Bool(values.iter().filter_map(|value| parse_bool(value)).collect()),
            BinaryEquals => Self::Binary(values.iter().filter_map(|value| decode_binary(value)).collect()),
            IpAddress | NotIpAddress => Self::Address(values.iter().filter_map(|value| value.parse().ok()).collect()),
            Null => {
                let has = |wanted| values.iter().any(|value| parse_bool(value) == Some(wanted));
                Self::Null { absent: has(true), present: has(false) }
            }
        }
    }

    /// Whether one of the policy's values matches this one, before any negation.
    fn matches(&self, value: &str, context: &Context) -> bool {
        match self {
            Self::Text(patterns) => patterns.iter().any(|pattern| pattern.matches(value, context).is_yes()),
            Self::TextIgnoringCase(patterns) => {
                patterns.iter().any(|pattern| pattern.equals_ignoring_case(value, context))
            }
            Self::Arn(patterns) => patterns.iter().any(|pattern| pattern.matches(value, context).is_yes()),
            Self::Number(relation, numbers) => Decimal::parse(value).is_some_and(|value| {
                numbers
                    .iter()
                    .filter_map(|number| Decimal::parse(number))
                    .any(|number| relation.holds(value.compare(&number)))
            }),
            Self::Date(relation, dates) => {
                Instant::parse(value).is_some_and(|value| dates.iter().any(|date| relation.holds(value.cmp(date))))
            }
            Self::Bool(wanted) => parse_bool(value).is_some_and(|value| wanted.contains(&value)),
            Self::Binary(wanted) => wanted.iter().any(|bytes| binary_equals(bytes, value)),
            Self::Address(ranges) => {
                parse_address(value).is_some_and(|address| ranges.iter().any(|range| range.contains(address)))
            }
            Self::Null { .. } => false,
        }
    }
}
