//! Compiled policies by their text: thousands of users with the same policy share one.

use std::sync::{Arc, Weak};

use policy::{CompiledPolicy, Policy, PolicyKind, PrincipalIds};
use rpds::HashTrieMapSync;

/// The number of texts at which sweeping begins.
const SWEEP_MIN: usize = 1024;

/// The texts that are already compiled. Texts that are no longer in use are removed from time to time.
#[derive(Debug, Clone, Default)]
pub(super) struct Compiled {
    identity: Texts,
    trust: Texts,
}

#[derive(Debug, Clone, Default)]
struct Texts {
    known: HashTrieMapSync<Arc<str>, Weak<CompiledPolicy>>,
    /// How many were in use at the last sweep.
    live: usize,
}

impl Compiled {
    /// The shared copy of a text, if it is known.
    pub fn shared(&self, text: Arc<str>) -> Arc<str> {
        self.identity.known.get_key_value(&text).map(|(known, _)| known.clone()).unwrap_or(text)
    }

    /// An identity policy. One that cannot be read denies; `what` names the policy in the reason.
    pub fn identity(&mut self, text: &Arc<str>, what: &str) -> Arc<CompiledPolicy> {
        self.identity.get(PolicyKind::Identity, text, what)
    }

    /// A role's trust policy. With ids it is not shared, because roles with the same text may have different ids.
    pub fn trust(&mut self, text: &str, ids: Option<&PrincipalIds>, what: &str) -> Arc<CompiledPolicy> {
        match (ids, Policy::parse_stored(PolicyKind::Trust, text)) {
            (Some(ids), Ok(policy)) => Arc::new(policy.compile_with_ids(ids)),
            _ => self.trust.get(PolicyKind::Trust, &text.into(), what),
        }
    }
}

impl Texts {
    fn get(&mut self, kind: PolicyKind, text: &Arc<str>, what: &str) -> Arc<CompiledPolicy> {
        if let Some(known) = self.known.get(text).and_then(Weak::upgrade) {
            return known;
        }
        match Policy::parse_stored(kind, text) {
            Ok(policy) => {
                let compiled = Arc::new(policy.compile());
                self.known.insert_mut(text.clone(), Arc::downgrade(&compiled));
                self.sweep();
                compiled
            }
            // The reason names the policy, so each policy has its own.
            Err(error) => Arc::new(CompiledPolicy::unreadable(format!("{what} cannot be read: {error}"))),
        }
    }

    fn sweep(&mut self) {
        if self.known.size() < SWEEP_MIN.max(2 * self.live) {
            return;
        }
        let dead = self.known.iter().filter(|(_, compiled)| compiled.strong_count() == 0);
        let dead: Vec<Arc<str>> = dead.map(|(text, _)| text.clone()).collect();
        for text in dead {
            self.known.remove_mut(&text);
        }
        self.live = self.known.size();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_compiled_once_and_removed_when_unused() {
        let text = |n: usize| -> Arc<str> {
            format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b{n}"}}]}}"#)
                .into()
        };
        let mut compiled = Compiled::default();
        let first = compiled.identity(&text(0), "P");
        assert!(Arc::ptr_eq(&first, &compiled.identity(&text(0), "Q")));
        assert!(!Arc::ptr_eq(&first, &compiled.identity(&text(1), "P")));
        for n in 0..3 * SWEEP_MIN {
            compiled.identity(&text(n), "P");
        }
        assert!(compiled.identity.known.size() <= 2 * SWEEP_MIN, "{} are kept", compiled.identity.known.size());
        assert!(Arc::ptr_eq(&first, &compiled.identity(&text(0), "P")), "it is in use");
        let unreadable = compiled.identity(&"{".into(), "the policy `P`");
        assert!(unreadable.unreadable_reason().is_some_and(|why| why.starts_with("the policy `P` cannot be read")));
    }
}
