//! SeaweedFS's shared document has managed and inline policies. When it changes, those change that are different in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::SnapshotBuilder;
use crate::change::{Holder, PolicyPlace};
use crate::entity::PolicyRecord;
use crate::weed_policies::WeedPolicies;

impl SnapshotBuilder {
    pub(super) fn set_weed_policies(&mut self, document: WeedPolicies) {
        let old = std::mem::replace(&mut self.snapshot.weed, Arc::new(document));
        let new = self.snapshot.weed.clone();
        let managed: BTreeSet<&Arc<str>> = old.managed.keys().chain(new.managed.keys()).collect();
        for name in managed {
            let text = new.managed.get(name).map(|text| Ok(PolicyRecord::of_text(text.clone())));
            self.set_policy(name, PolicyPlace::Weed, text);
        }
        let holders: BTreeSet<&Holder> = old.inline.keys().chain(new.inline.keys()).collect();
        for holder in holders {
            let (before, after) = (old.inline.get(holder), new.inline.get(holder));
            let names: BTreeSet<&Arc<str>> = before.into_iter().chain(after).flat_map(BTreeMap::keys).collect();
            for name in names {
                let known = self.snapshot.inline.get(holder).and_then(|policies| policies.get(name));
                let ours = known.and_then(|policy| policy.ours.clone());
                self.change_inline(holder, name, ours, after.and_then(|policies| policies.get(name)).cloned());
            }
            self.touch(holder);
        }
    }
}
