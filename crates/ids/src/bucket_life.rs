//! The id of a bucket's creation, and how far its deletion has got, as one text that the filer compares as an ETag.

use std::sync::Arc;

/// The id of a bucket's creation, and how far its deletion has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketLife {
    /// Differs between two successive buckets with the same name.
    pub id: Arc<str>,
    /// How far its deletion has got.
    pub stage: Stage,
}

/// How far the deletion of a bucket has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// No deletion has begun.
    Active,
    /// It is announced. A write below the bucket that comes later removes the announcement.
    Announced(Arc<str>),
    /// It is decided: the bucket no longer exists, and its entry is about to be removed.
    Deleted {
        /// When, in seconds since 1970.
        since_s: i64,
        /// Distinguishes two decisions.
        mark: Arc<str>,
    },
}

impl BucketLife {
    /// A bucket that is about to be created.
    pub fn new(random: u128) -> Self {
        Self { id: format!("{random:032x}").into(), stage: Stage::Active }
    }

    /// Reads it from an entry. A bucket that another program created has no id; its creation time is used instead.
    pub fn read(stored: Option<&str>, created_s: i64) -> Self {
        let text = stored.unwrap_or_default();
        let mut fields = text.splitn(4, '.');
        let id = fields.next().filter(|id| !id.is_empty());
        let stage = match (fields.next(), fields.next(), fields.next()) {
            (Some("deleting"), Some(mark), None) => Stage::Announced(mark.into()),
            (Some("deleted"), Some(since), Some(mark)) => {
                Stage::Deleted { since_s: since.parse().unwrap_or(0), mark: mark.into() }
            }
            _ => Stage::Active,
        };
        Self { id: id.map_or_else(|| format!("made-{created_s}").into(), Into::into), stage }
    }

    /// The text that is stored and that conditions compare.
    pub fn to_text(&self) -> String {
        match &self.stage {
            Stage::Active => self.id.to_string(),
            Stage::Announced(mark) => format!("{}.deleting.{mark}", self.id),
            Stage::Deleted { since_s, mark } => format!("{}.deleted.{since_s}.{mark}", self.id),
        }
    }

    /// A text for a bucket that stands, different from every earlier one. If a text came back, compare-and-swap could not
    /// tell a bucket that changed in between from one that did not.
    pub fn standing_text(&self, mark: &str) -> String {
        format!("{}.stands.{mark}", self.id)
    }

    /// The same bucket at another stage.
    pub fn at(&self, stage: Stage) -> Self {
        Self { id: Arc::clone(&self.id), stage }
    }

    /// Whether the bucket no longer exists.
    pub fn is_deleted(&self) -> bool {
        matches!(self.stage, Stage::Deleted { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_back() {
        let made = BucketLife::new(7);
        let mark = || Arc::from("0a");
        for (life, text) in [
            (made.clone(), "00000000000000000000000000000007"),
            (made.at(Stage::Announced(mark())), "00000000000000000000000000000007.deleting.0a"),
            (made.at(Stage::Deleted { since_s: 9, mark: mark() }), "00000000000000000000000000000007.deleted.9.0a"),
        ] {
            assert_eq!(life.to_text(), text);
            assert_eq!(BucketLife::read(Some(text), 1), life);
        }
        let changed = made.standing_text("0a");
        assert_eq!(changed, "00000000000000000000000000000007.stands.0a");
        assert_eq!(BucketLife::read(Some(&changed), 1), made);
    }

    #[test]
    fn buckets_of_other_programs_have_a_life_as_well() {
        for (stored, id) in
            [(None, "made-5"), (Some(""), "made-5"), (Some("d41d8cd9-0"), "d41d8cd9-0"), (Some("x.y"), "x")]
        {
            let life = BucketLife::read(stored, 5);
            assert_eq!((&*life.id, &life.stage), (id, &Stage::Active), "{stored:?}");
        }
        let announced = BucketLife::read(None, 5).at(Stage::Announced("0a".into()));
        assert_eq!(BucketLife::read(Some(&announced.to_text()), 5), announced);
        assert_eq!(BucketLife::read(Some("made-5"), 5), BucketLife::read(None, 5), "taken back");
    }
}
