//! Random policies and requests over a small world, so that they often concern each other.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Key, Policies, Request};

/// A seeded source of choices (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).unwrap() % limit
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    /// One to `max` picks, as one value or as a list.
    fn some(&mut self, max: usize, mut pick: impl FnMut(&mut Self) -> String) -> Value {
        if self.chance(50) {
            return json!(pick(self));
        }
        let count = 1 + self.below(max);
        Value::Array((0..count).map(|_| json!(pick(self))).collect())
    }

    /// Text made of a few different characters, including wildcards.
    pub fn text(&mut self, alphabet: &[&'static str], max: usize) -> String {
        let count = self.below(max + 1);
        (0..count).map(|_| self.pick(alphabet)).collect()
    }
}

const CALLERS: [&str; 12] = [
    "anonymous",
    "arn:aws:iam::111122223333:root",
    "arn:aws:iam::444455556666:root",
    "arn:aws:iam::111122223333:user/alice",
    "arn:aws:iam::111122223333:user/div/bob",
    "arn:aws:iam::444455556666:user/alice",
    "arn:aws:sts::111122223333:assumed-role/app/s1",
    "arn:aws:sts::444455556666:assumed-role/app/s1",
    "arn:aws:sts::111122223333:federated-user/alice",
    "arn:aws:sts::444455556666:federated-user/alice",
    "logging.s3.amazonaws.com",
    "accounts.google.com",
];
const NAMES: [&str; 14] = [
    "*",
    "111122223333",
    "arn:aws:iam::111122223333:root",
    "arn:aws:iam::444455556666:root",
    "arn:aws:iam::111122223333:user/alice",
    "arn:aws:iam::111122223333:user/div/bob",
    "arn:aws:iam::444455556666:user/alice",
    "arn:aws:iam::111122223333:role/app",
    "arn:aws:iam::444455556666:role/team/app",
    "arn:aws:sts::111122223333:assumed-role/app/s1",
    "arn:aws:sts::444455556666:assumed-role/app/s2",
    "arn:aws:sts::111122223333:federated-user/alice",
    "arn:aws-cn:iam::111122223333:user/alice",
    "arn:aws-us-gov:sts::111122223333:assumed-role/app/s1",
];
const ACTIONS: [&str; 10] = [
    "s3:GetObject",
    "s3:getobject",
    "s3:PutObject",
    "s3:ListBucket",
    "s3:GetBucketPolicy",
    "iam:GetUser",
    "ec2:RunInstances",
    "s3express:CreateSession",
    "sts:AssumeRole",
    "sts:GetCallerIdentity",
];
const ACTION_PATTERNS: [&str; 16] = [
    "s3:GetObject",
    "S3:GETOBJECT",
    "s3:PutObject",
    "s3:ListBucket",
    "s3:*",
    "s3:Get*",
    "*",
    "s3:?etObject",
    "s3:*Object",
    "s3*",
    "ec2:Run*",
    "ec2:RunInstances",
    "iam:Get*r",
    "sts:*",
    "*:*Policy",
    "s3:Nope",
];
const RESOURCES: [&str; 12] = [
    "*",
    "arn:aws:s3:::b",
    "arn:aws:s3:::b/alice",
    "arn:aws:s3:::b/alice/x",
    "arn:aws:s3:::b/bob/x",
    "arn:aws:s3:::b/a*c/x",
    "arn:aws:s3:::b/é\nz/a:b",
    "arn:aws:s3:::ab/aab",
    "arn:aws:s3:us-east-1:111122223333:accesspoint/b",
    "arn:aws:iam::111122223333:user/alice",
    "arn:aws-cn:s3:::b/alice/x",
    "arn:aws:s3:::b/aaaaaaaaaa/aaaab",
];
const RESOURCE_PATTERNS: [&str; 22] = [
    "*",
    "**",
    "arn:aws:s3:::*",
    "arn:aws:s3:::b",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::b/alice",
    "arn:aws:s3:::b/alice/*",
    "arn:aws:s3:::?/*",
    "arn:aws:s3:::b/?????/x",
    "arn:aws:s3:::b/${aws:username}/*",
    "arn:aws:s3:::b/*${aws:username}/?",
    "arn:aws:s3:::*/${aws:PrincipalTag/team}*x",
    "arn:aws:s3:::b/${aws:PrincipalTag/team, 'alice'}/*",
    "arn:aws:s3:::b/a${*}c/*",
    "arn:aws:s3:*:*:b*",
    "arn:aws:s3:*:111122223333:*b",
    "arn:aws:s3",
    "arn:*:s3:::b/*",
    "arn:aws:iam::111122223333:user/${aws:username}",
    "arn:aws:s3:::b/*z/*:*",
    "arn:aws:s3:::b/?\nz*",
    "arn:aws*:s3:::b/alice/x",
];

/// Keys by type, with the values of requests and of policies.
const TEXTS: [&str; 8] = ["alice", "ALICE", "a*c", "", "x", "bob", "b", "é"];
const TEXT_PATTERNS: [&str; 14] = [
    "alice",
    "ALICE",
    "al*",
    "*",
    "?",
    "${aws:username}",
    "${aws:PrincipalTag/team}",
    "x",
    "${aws:PrincipalTag/team, 'bob'}",
    "a${*}c",
    "",
    "*c",
    "É",
    "${aws:TagKeys}",
];
const NUMBERS: [&str; 8] = ["0", "1", "10", "010", "10.0", "-1", "2.5", "x"];
const DATES: [&str; 6] =
    ["2026-11-21T10:00:00Z", "2026-11-21T12:00:00+02:00", "1795255200", "1795255201", "2020-01-01T00:00:00Z", "soon"];
const ADDRESSES: [&str; 6] = ["10.0.0.1", "10.0.0.2", "203.0.113.7", "2001:db8::1", "2001:DB8:0::1", "no"];
const RANGES: [&str; 8] =
    ["10.0.0.0/8", "10.0.0.1", "10.0.0.0/31", "0.0.0.0/0", "2001:db8::/32", "2001:db8::1", "::/0", "203.0.113.7/32"];
const ARNS: [&str; 5] = [
    "arn:aws:s3:::b",
    "arn:aws:iam::111122223333:user/alice",
    "arn:aws:sns:us-east-1:111122223333:t:u",
    "arn:aws:iam::111122223333:role/app",
    "x",
];
const ARN_PATTERNS: [&str; 8] = [
    "arn:aws:s3:::b",
    "arn:aws:s3:::*",
    "arn:aws:iam::*:user/${aws:username}",
    "arn:aws:sns:*:t:u",
    "arn:aws:sns:*:*:t*",
    "*",
    "arn:aws:iam::111122223333:role/?pp",
    "arn:aws:iam",
];

fn key(random: &mut Random, name: &str) -> String {
    if random.chance(70) {
        name.to_owned()
    } else {
        name.chars().map(|c| if random.chance(50) { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect()
    }
}

fn condition(random: &mut Random) -> (String, String, Value) {
    const TEXT_OPERATORS: [&str; 6] = [
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
    ];
    const RELATIONS: [&str; 6] =
        ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"];
    let (operator, name, values): (String, &str, &[&str]) = match random.below(10) {
        0..=3 => (
            random.pick(&TEXT_OPERATORS).to_owned(),
            random.pick(&["aws:username", "aws:PrincipalTag/Team", "s3:prefix", "aws:TagKeys"]),
            &TEXT_PATTERNS,
        ),
        4 => (format!("Numeric{}", random.pick(&RELATIONS)), random.pick(&["s3:max-keys", "test:numbers"]), &NUMBERS),
        5 => (format!("Date{}", random.pick(&RELATIONS)), "aws:CurrentTime", &DATES),
        6 => (random.pick(&["IpAddress", "NotIpAddress"]).to_owned(), "aws:SourceIp", &RANGES),
        7 => (
            random.pick(&["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"]).to_owned(),
            "aws:SourceArn",
            &ARN_PATTERNS,
        ),
        8 => match random.below(3) {
            0 => ("BinaryEquals".to_owned(), "test:blob", &["AAEC", "YQ==", "YWI="]),
            _ => ("Bool".to_owned(), "aws:SecureTransport", &["true", "false", "True"]),
        },
        _ => {
            let name = random.pick(&["aws:username", "aws:TagKeys", "s3:prefix", "aws:SourceIp", "test:numbers"]);
            let value = random.pick(&["true", "false"]);
            return ("Null".to_owned(), key(random, name), json!(value));
        }
    };
    let set = if random.chance(35) { random.pick(&["ForAllValues:", "ForAnyValue:"]) } else { "" };
    let if_exists = if random.chance(20) { "IfExists" } else { "" };
    let values = random.some(3, |random| random.pick(values).to_owned());
    (format!("{set}{operator}{if_exists}"), key(random, name), values)
}

fn principal(random: &mut Random) -> Value {
    if random.chance(25) {
        return json!("*");
    }
    let mut kinds = Map::new();
    if random.chance(85) {
        kinds.insert("AWS".to_owned(), random.some(3, |random| random.pick(&NAMES).to_owned()));
    }
    if kinds.is_empty() || random.chance(15) {
        kinds.insert(
            "Service".to_owned(),
            json!(random.pick(&["logging.s3.amazonaws.com", "cloudtrail.amazonaws.com"])),
        );
    }
    if random.chance(15) {
        kinds.insert("Federated".to_owned(), json!("accounts.google.com"));
    }
    if random.chance(10) {
        kinds.insert("CanonicalUser".to_owned(), json!(random.pick(&["c1", "c2"])));
    }
    Value::Object(kinds)
}

fn resource_pattern(random: &mut Random) -> String {
    match random.below(10) {
        0..=6 => random.pick(&RESOURCE_PATTERNS).to_owned(),
        7 => format!("arn:aws:s3:::{}", random.text(&["a", "b", "*", "?", "/"], 7)),
        _ => format!("arn:aws:s3:::b/{}", random.text(&["a", "alice", "*", "?", "/", "b", "x", "é"], 6)),
    }
}

fn statement(random: &mut Random, with_principal: bool, is_trust: bool) -> Value {
    let mut members = Map::new();
    members.insert("Effect".to_owned(), json!(if random.chance(72) { "Allow" } else { "Deny" }));
    let action = if random.chance(85) { "Action" } else { "NotAction" };
    members.insert(action.to_owned(), random.some(3, |random| random.pick(&ACTION_PATTERNS).to_owned()));
    if !is_trust || random.chance(5) {
        let resource = if random.chance(82) { "Resource" } else { "NotResource" };
        members.insert(resource.to_owned(), random.some(3, resource_pattern));
    }
    if with_principal && random.chance(97) {
        let element = if random.chance(88) { "Principal" } else { "NotPrincipal" };
        members.insert(element.to_owned(), principal(random));
    }
    if random.chance(45) {
        let mut operators: Map<String, Value> = Map::new();
        for _ in 0..1 + random.below(2) {
            let (operator, key, values) = condition(random);
            let keys = operators.entry(operator).or_insert_with(|| json!({}));
            keys.as_object_mut().unwrap().insert(key, values);
        }
        members.insert("Condition".to_owned(), Value::Object(operators));
    }
    Value::Object(members)
}

fn document(random: &mut Random, with_principal: bool, is_trust: bool) -> Value {
    let count = if random.chance(4) { 20 + random.below(40) } else { 1 + random.below(3) };
    let mut document =
        json!({"Statement": (0..count).map(|_| statement(random, with_principal, is_trust)).collect::<Vec<_>>()});
    match random.below(20) {
        0 => {}
        1 => document["Version"] = json!("2008-10-17"),
        _ => document["Version"] = json!("2012-10-17"),
    }
    document
}

pub fn policies(random: &mut Random) -> Policies {
    let is_trust = random.chance(12);
    let identity = (0..random.below(3)).map(|_| document(random, false, false)).collect();
    Policies {
        identity,
        resource: (is_trust || random.chance(65)).then(|| document(random, true, is_trust)),
        session: random.chance(25).then(|| document(random, false, false)),
        boundary: random.chance(25).then(|| document(random, false, false)),
        is_trust,
        both_sides: random.chance(60),
    }
}

pub fn request(random: &mut Random) -> Request {
    let mut context = BTreeMap::new();
    let mut set = |random: &mut Random, name: &str, percent: usize, values: &[&str]| {
        if random.chance(percent) {
            let value = random.pick(values).to_owned();
            context.insert(name.to_owned(), Key::One(value));
        }
    };
    set(random, "aws:username", 70, &TEXTS);
    set(random, "aws:principaltag/team", 50, &TEXTS);
    set(random, "s3:prefix", 50, &TEXTS);
    set(random, "s3:max-keys", 50, &NUMBERS);
    set(random, "aws:currenttime", 70, &DATES);
    set(random, "aws:sourceip", 70, &ADDRESSES);
    set(random, "aws:sourcearn", 50, &ARNS);
    set(random, "aws:securetransport", 70, &["true", "false"]);
    set(random, "test:blob", 50, &["AAEC", "YQ==", "YWI="]);
    for (name, values) in [("aws:tagkeys", &TEXTS), ("test:numbers", &NUMBERS)] {
        if random.chance(60) {
            let values = (0..random.below(4)).map(|_| random.pick(values).to_owned()).collect();
            context.insert(name.to_owned(), Key::Many(values));
        }
    }
    Request {
        principal: random.pick(&CALLERS).to_owned(),
        canonical: random.chance(30).then(|| random.pick(&["c1", "c2"]).to_owned()),
        action: random.pick(&ACTIONS).to_owned(),
        resource: match random.below(4) {
            0 => format!("arn:aws:s3:::b/{}", random.text(&["a", "b", "/", "x", "é"], 9)),
            _ => random.pick(&RESOURCES).to_owned(),
        },
        account: random.pick(&["111122223333", "111122223333", "444455556666"]).to_owned(),
        context,
    }
}
