//! Finds the statements that could apply to a resource without evaluating all of them.
//!
//! Resource patterns are stored in a trie of their literal prefixes: one walk along the resource visits every pattern
//! whose prefix fits. After its prefix, a pattern has nothing, one star, or a glob, which is matched at that node. A
//! node with many globs first searches for their longest literals, all at once (Aho-Corasick), and tries only the globs
//! whose literal occurs. A node with many statements keeps one bit for each action and statement. Statements without a
//! useful prefix (NotResource, wildcards in the first five segments) are evaluated one by one.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use smallvec::SmallVec;

use crate::action::{Action, ActionSet, RequestAction};
use crate::arn_pattern::ArnPattern;
use crate::request::Request;
use crate::resource_element::ResourceTest;
use crate::statement::Statement;

/// A place with at least this many statements keeps bits by action.
const CROWD_MIN: usize = 24;
/// A node with at least this many globs searches for their literals first.
const GATE_MIN: usize = 9;
/// The most literals that one automaton holds, so that the marks of those found fit on the stack.
const GATE_LITERALS_MAX: usize = 8_192;

#[derive(Debug)]
pub(crate) struct Index {
    nodes: Vec<Node>,
    /// Statements whose resources must be matched in full.
    residue: Entries,
}

#[derive(Debug, Default)]
struct Node {
    /// The part of the prefix between the parent and this node.
    label: Box<[u8]>,
    /// The children with the first bytes of their labels, sorted by them.
    children: Vec<(u8, u32)>,
    /// Statements with a pattern that ends here.
    exact: Entries,
    /// Statements with a pattern that ends here with one star.
    open: Entries,
    globs: Option<Box<Globs>>,
}

/// A pattern of a statement: the index of the statement, and that of the pattern among its resources.
type PatternPlace = (u32, u32);

#[derive(Debug, Default)]
struct Globs {
    /// The actions of all statements here.
    actions: ActionSet,
    /// The patterns that are tried on every resource.
    ungated: Vec<PatternPlace>,
    gates: Vec<Gate>,
}

#[derive(Debug)]
struct Gate {
    literals: AhoCorasick,
    /// For each literal, the patterns that contain it.
    patterns: Box<[SmallVec<[PatternPlace; 1]>]>,
}

#[derive(Debug, Default)]
enum Entries {
    #[default]
    None,
    One(u32),
    Many(Box<[u32]>),
    Crowd(Box<Crowd>),
}

/// Many statements in one place.
#[derive(Debug)]
struct Crowd {
    statements: Box<[u32]>,
    /// One row of words for each known action, with one bit for each of `statements`.
    bits: Box<[u64]>,
    row_words: usize,
}

impl Index {
    pub fn new(statements: &[Statement]) -> Self {
        let mut builder = Builder { nodes: vec![Draft::default()] };
        let mut residue = Vec::new();
        for (place, statement) in (0_u32..).zip(statements) {
            match &statement.resource {
                ResourceTest::Unstated { applies: false } => {}
                ResourceTest::Unstated { applies: true } | ResourceTest::NotResource(_) => residue.push(place),
                ResourceTest::Resource(patterns) => {
                    let mut is_in_residue = false;
                    for (nth, pattern) in (0_u32..).zip(patterns.iter()) {
                        is_in_residue |= !builder.insert(pattern, (place, nth));
                    }
                    if is_in_residue {
                        residue.push(place);
                    }
                }
            }
        }
        let nodes = builder.nodes.into_iter().map(|draft| draft.finish(statements)).collect();
        Self { nodes, residue: Entries::new(residue, statements) }
    }

    /// Calls `found` with each statement whose action and resource match. It may be called with the same statement more
    /// than once.
    pub fn find(&self, statements: &[Statement], request: &Request<'_>, mut found: impl FnMut(u32, &Statement)) {
        let (action, resource) = (request.action, request.resource.as_bytes());
        let mut at = 0;
        let mut next = self.nodes.first();
        while let Some(node) = next {
            node.open.each(statements, action, &mut found);
            if at == resource.len() {
                node.exact.each(statements, action, &mut found);
            }
            if let Some(globs) = &node.globs {
                globs.each(statements, request, at, &mut found);
            }
            let rest = resource.get(at..).unwrap_or_default();
            next =
                node.child(rest).and_then(|child| self.nodes.get(child)).filter(|child| rest.starts_with(&child.label));
            at += next.map_or(0, |child| child.label.len());
        }
        self.residue.each(statements, action, &mut |place, statement: &Statement| {
            if statement.resource_matches(request) {
                found(place, statement);
            }
        });
    }
}

impl Node {
    /// The child whose label the text may begin with. If there are several children, it is the one with the same first
    /// byte.
    fn child(&self, text: &[u8]) -> Option<usize> {
        let first = text.first()?;
        let place = match self.children.as_slice() {
            [one] => one.1,
            few if few.len() <= 8 => few.iter().find(|(byte, _)| byte == first)?.1,
            many => many.get(many.binary_search_by_key(first, |(byte, _)| *byte).ok()?)?.1,
        };
        usize::try_from(place).ok()
    }
}

impl Entries {
    fn new(mut places: Vec<u32>, statements: &[Statement]) -> Self {
        places.dedup();
        match places.as_slice() {
            [] => Self::None,
            [one] => Self::One(*one),
            few if few.len() < CROWD_MIN => Self::Many(places.into()),
            _ => Self::Crowd(Box::new(Crowd::new(places.into(), statements))),
        }
    }

    fn each(&self, statements: &[Statement], action: RequestAction<'_>, found: &mut impl FnMut(u32, &Statement)) {
        let mut consider = |place: u32| {
            if let Some(statement) = get(statements, place).filter(|statement| statement.action.matches(action)) {
                found(place, statement);
            }
        };
        match (self, action) {
            (Self::None, _) => {}
            (Self::One(place), _) => consider(*place),
            (Self::Many(places), _) => places.iter().copied().for_each(consider),
            (Self::Crowd(crowd), RequestAction::Known(action)) => crowd.of(action).for_each(consider),
            (Self::Crowd(crowd), RequestAction::Other(_)) => crowd.statements.iter().copied().for_each(consider),
        }
    }
}

impl Crowd {
    fn new(places: Box<[u32]>, statements: &[Statement]) -> Self {
        let row_words = places.len().div_ceil(64);
        let mut bits = vec![0_u64; row_words * Action::COUNT];
        for (nth, place) in places.iter().enumerate() {
            let Some(statement) = get(statements, *place) else { continue };
            for action in statement.action.known().iter() {
                if let Some(word) = bits.get_mut(action.index() * row_words + nth / 64) {
                    *word |= 1 << (nth % 64);
                }
            }
        }
        Self { statements: places, bits: bits.into(), row_words }
    }

    fn of(&self, action: Action) -> impl Iterator<Item = u32> {
        let start = action.index() * self.row_words;
        let row = self.bits.get(start..start + self.row_words).unwrap_or_default();
        row.iter().zip(self.statements.chunks(64)).flat_map(|(word, statements)| {
            let mut word = *word;
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros())?;
                word &= word - 1;
                statements.get(usize::try_from(bit).ok()?).copied()
            })
        })
    }
}

impl Globs {
    fn new(patterns: &[PatternPlace], statements: &[Statement]) -> Self {
        let mut all = Self::default();
        let mut by_literal: Vec<(&[u8], PatternPlace)> = Vec::new();
        for place in patterns {
            let Some((statement, pattern)) = pattern_at(statements, *place) else { continue };
            all.actions = all.actions.union(*statement.action.known());
            match pattern.longest_literal() {
                Some(literal) if patterns.len() >= GATE_MIN => by_literal.push((literal, *place)),
                _ => all.ungated.push(*place),
            }
        }
        by_literal.sort_unstable();
        let mut literals: Vec<(&[u8], SmallVec<[PatternPlace; 1]>)> = Vec::new();
        for (literal, place) in by_literal {
            match literals.last_mut().filter(|(last, _)| *last == literal) {
                Some((_, places)) => places.push(place),
                None => literals.push((literal, SmallVec::from_iter([place]))),
            }
        }
        for part in literals.chunks(GATE_LITERALS_MAX) {
            match Gate::new(part) {
                Some(gate) => all.gates.push(gate),
                // More than the automaton can hold, so do without it.
                None => all.ungated.extend(part.iter().flat_map(|(_, places)| places.iter().copied())),
            }
        }
        all
    }

    fn each(
        &self,
        statements: &[Statement],
        request: &Request<'_>,
        at: usize,
        found: &mut impl FnMut(u32, &Statement),
    ) {
        if let RequestAction::Known(action) = request.action
            && !self.actions.contains(action)
        {
            return;
        }
        let Some(after) = request.resource.get(at..) else { return };
        let mut consider = |place: PatternPlace| {
            let Some((statement, pattern)) = pattern_at(statements, place) else { return };
            if statement.action.matches(request.action) && pattern.matches_after_prefix(after, request.context).is_yes()
            {
                found(place.0, statement);
            }
        };
        self.ungated.iter().copied().for_each(&mut consider);
        for gate in &self.gates {
            gate.each(after.as_bytes(), &mut consider);
        }
    }
}

impl Gate {
    fn new(literals: &[(&[u8], SmallVec<[PatternPlace; 1]>)]) -> Option<Self> {
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .build(literals.iter().map(|(literal, _)| literal));
        let patterns = literals.iter().map(|(_, places)| places.clone()).collect();
        Some(Self { literals: automaton.ok()?, patterns })
    }

    /// Calls `consider` once for each pattern whose literal occurs.
    fn each(&self, text: &[u8], consider: &mut impl FnMut(PatternPlace)) {
        let mut seen: SmallVec<[u64; GATE_LITERALS_MAX / 64]> =
            SmallVec::from_elem(0, self.patterns.len().div_ceil(64));
        for hit in self.literals.find_overlapping_iter(text) {
            let literal = hit.pattern().as_usize();
            let Some(word) = seen.get_mut(literal / 64) else { continue };
            let bit = 1 << (literal % 64);
            if *word & bit == 0 {
                *word |= bit;
                self.patterns.get(literal).into_iter().flatten().copied().for_each(&mut *consider);
            }
        }
    }
}

fn get(statements: &[Statement], place: u32) -> Option<&Statement> {
    statements.get(usize::try_from(place).ok()?)
}

fn pattern_at(statements: &[Statement], (place, nth): PatternPlace) -> Option<(&Statement, &crate::pattern::Pattern)> {
    let statement = get(statements, place)?;
    match statement.resource.patterns().get(usize::try_from(nth).ok()?)? {
        ArnPattern::Whole(pattern) => Some((statement, pattern)),
        ArnPattern::Any | ArnPattern::Segments(_) => None,
    }
}

/// A trie under construction.
struct Builder {
    nodes: Vec<Draft>,
}

#[derive(Default)]
struct Draft {
    label: Vec<u8>,
    children: Vec<(u8, u32)>,
    exact: Vec<u32>,
    open: Vec<u32>,
    globs: Vec<PatternPlace>,
}

impl Draft {
    fn finish(self, statements: &[Statement]) -> Node {
        let globs = (!self.globs.is_empty()).then(|| Box::new(Globs::new(&self.globs, statements)));
        Node {
            label: self.label.into(),
            children: self.children,
            exact: Entries::new(self.exact, statements),
            open: Entries::new(self.open, statements),
            globs,
        }
    }
}

impl Builder {
    /// Adds a pattern to the trie; `false` if it does not fit there.
    fn insert(&mut self, pattern: &ArnPattern, place: PatternPlace) -> bool {
        let prefix = match pattern {
            ArnPattern::Any => "",
            ArnPattern::Whole(pattern) => pattern.prefix(),
            ArnPattern::Segments(_) => return false,
        };
        let node = self.node(prefix.as_bytes());
        let Some(draft) = self.nodes.get_mut(node) else { return false };
        match pattern {
            ArnPattern::Whole(pattern) if pattern.is_exact() => draft.exact.push(place.0),
            ArnPattern::Whole(pattern) if !pattern.is_prefix() => draft.globs.push(place),
            _ => draft.open.push(place.0),
        }
        true
    }

    /// The node of a prefix. Creates it if it does not exist.
    fn node(&mut self, prefix: &[u8]) -> usize {
        let (mut at, mut rest) = (0, prefix);
        while let Some(first) = rest.first() {
            let children = self.nodes.get(at).map(|node| node.children.as_slice()).unwrap_or_default();
            let Ok(nth) = children.binary_search_by_key(first, |(byte, _)| *byte) else {
                return self.add(at, Draft { label: rest.to_vec(), ..Draft::default() });
            };
            let Some(child) = children.get(nth).and_then(|(_, child)| usize::try_from(*child).ok()) else { return at };
            let label = self.nodes.get(child).map(|node| node.label.as_slice()).unwrap_or_default();
            let common = label.iter().zip(rest).take_while(|(left, right)| left == right).count();
            if common < label.len() {
                self.split(child, common);
            }
            at = child;
            rest = rest.get(common..).unwrap_or_default();
        }
        at
    }

    fn add(&mut self, parent: usize, draft: Draft) -> usize {
        let (place, first) = (self.nodes.len(), draft.label.first().copied());
        self.nodes.push(draft);
        if let (Some(parent), Some(first), Ok(number)) = (self.nodes.get_mut(parent), first, u32::try_from(place)) {
            let nth = parent.children.partition_point(|(byte, _)| *byte < first);
            parent.children.insert(nth, (first, number));
        }
        place
    }

    /// Splits a node's label. What follows the split, and everything stored at the node, moves to a child.
    fn split(&mut self, node: usize, at: usize) {
        let Some(upper) = self.nodes.get_mut(node) else { return };
        let mut lower = std::mem::take(upper);
        let below = lower.label.split_off(at);
        upper.label = std::mem::replace(&mut lower.label, below);
        self.add(node, lower);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::Document;
    use crate::policy_kind::PolicyKind;

    fn statements(resources: &[&str]) -> Vec<Statement> {
        let one = |text: &&str| format!(r#"{{"Effect":"Allow","Action":"s3:GetObject","Resource":{text}}}"#);
        let all: Vec<String> = resources.iter().map(one).collect();
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, all.join(","));
        let document = Document::parse(&text).unwrap();
        document.statements.iter().map(|one| Statement::new(one, PolicyKind::Identity, true)).collect()
    }

    fn places(entries: &Entries) -> String {
        match entries {
            Entries::None => String::new(),
            Entries::One(place) => place.to_string(),
            Entries::Many(places) => format!("{places:?}"),
            Entries::Crowd(crowd) => format!("crowd of {}", crowd.statements.len()),
        }
    }

    /// Each node that holds something, by its prefix, then the statements that are matched in full.
    fn shape(index: &Index) -> Vec<String> {
        let mut lines = Vec::new();
        let mut open: Vec<(usize, String)> = vec![(0, String::new())];
        while let Some((at, above)) = open.pop() {
            let node = &index.nodes[at];
            let prefix = format!("{above}{}", String::from_utf8_lossy(&node.label));
            for (kind, entries) in [("", &node.exact), ("*", &node.open)] {
                if !matches!(entries, Entries::None) {
                    lines.push(format!("{prefix}{kind}: {}", places(entries)));
                }
            }
            if let Some(globs) = &node.globs {
                let gated: usize = globs.gates.iter().map(|gate| gate.patterns.len()).sum();
                lines.push(format!("{prefix}*?: {} and {gated} gated", globs.ungated.len()));
            }
            for (byte, child) in &node.children {
                let child = usize::try_from(*child).unwrap();
                assert_eq!(index.nodes[child].label.first(), Some(byte), "{prefix}");
                open.push((child, prefix.clone()));
            }
        }
        lines.sort();
        if !matches!(index.residue, Entries::None) {
            lines.push(format!("residue: {}", places(&index.residue)));
        }
        lines
    }

    /// A pattern in the trie makes a decision fast; a pattern outside it is matched in full.
    #[test]
    fn patterns_are_stored_at_their_prefixes() {
        for (resources, want) in [
            (&[r#""*""#][..], &["*: 0"][..]),
            (&[r#""arn:aws:s3:::b""#, r#""arn:aws:s3:::b/*""#], &["arn:aws:s3:::b/*: 1", "arn:aws:s3:::b: 0"]),
            (
                &[r#""arn:aws:s3:::ab/*""#, r#""arn:aws:s3:::ac/*""#, r#"["arn:aws:s3:::a*","arn:aws:s3:::ab/*"]"#],
                &["arn:aws:s3:::a*: 2", "arn:aws:s3:::ab/*: [0, 2]", "arn:aws:s3:::ac/*: 1"],
            ),
            (&[r#"["arn:aws:s3:::b/*","arn:aws:s3:::b/*"]"#], &["arn:aws:s3:::b/*: 0"]),
            (
                &[r#""arn:aws:s3:::b/*x?""#, r#""arn:aws:s3:::b/${aws:username}*""#],
                &["arn:aws:s3:::b/*?: 2 and 0 gated"],
            ),
            (&[r#""arn:aws:s3:*:*:b""#, r#""arn:aws:s3:::c""#], &["arn:aws:s3:::c: 1", "residue: 0"]),
        ] {
            let statements = statements(resources);
            assert_eq!(shape(&Index::new(&statements)), want, "{resources:?}");
        }
        let many: Vec<String> =
            (0..30).map(|i| format!(r#"["arn:aws:s3:::b/*w{i}*","arn:aws:s3:::b/same"]"#)).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let want = ["arn:aws:s3:::b/*?: 0 and 30 gated", "arn:aws:s3:::b/same: crowd of 30"];
        assert_eq!(shape(&Index::new(&statements(&many))), want);
        let few = ["arn:aws:s3:::b/*?: 8 and 0 gated", "arn:aws:s3:::b/same: [0, 1, 2, 3, 4, 5, 6, 7]"];
        assert_eq!(shape(&Index::new(&statements(&many[..8]))), few);
    }

    /// With seventy literals, the marks of those seen need more than one word.
    #[test]
    fn a_gate_reports_each_pattern_once() {
        let texts: Vec<String> = (0..70).map(|i| format!("w{i}x")).collect();
        let literals: Vec<(&[u8], SmallVec<[PatternPlace; 1]>)> = (0_u32..)
            .zip(&texts)
            .map(|(i, text)| (text.as_bytes(), SmallVec::from_slice(&[(i, 0), (i + 100, 1)])))
            .collect();
        let gate = Gate::new(&literals).unwrap();
        let mut seen = Vec::new();
        gate.each(b"..w3xw67xw3x..w6x", &mut |place| seen.push(place));
        seen.sort_unstable();
        assert_eq!(seen, [(3, 0), (6, 0), (67, 0), (103, 1), (106, 1), (167, 1)]);
    }
}
