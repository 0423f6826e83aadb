//! Reads the parameters of calls of STS.

use crate::params::Params;

/// The most tags of a session.
pub(crate) const TAGS_MAX: usize = 50;

/// The characters allowed besides ASCII letters, digits and `_`, and the whole pattern as AWS writes it.
pub(crate) type Pattern = (&'static str, &'static str);
pub(crate) const NAME: Pattern = ("+=,.@-", "[\\w+=,.@-]*");

/// Reads parameters, and collects everything that is wrong with them.
pub(crate) struct Reader<'a> {
    pub(crate) params: &'a Params,
    pub(crate) errors: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(crate) fn refuse(&mut self, names: &[&str], message: &str) {
        if names.iter().any(|name| self.params.given(name).is_some()) {
            self.errors.push(message.to_owned());
        }
    }

    pub(crate) fn fail(&mut self, value: &str, member: &str, constraint: &str) {
        self.errors.push(format!("Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"));
    }

    pub(crate) fn text(
        &mut self,
        name: &str,
        member: &str,
        least: usize,
        most: usize,
        pattern: Option<Pattern>,
    ) -> Option<String> {
        let value = self.params.given(name)?;
        self.check(value, member, least, most);
        if let Some((others, written)) = pattern {
            let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || others.contains(c);
            if !value.chars().all(allowed) {
                self.fail(value, member, &format!("Member must satisfy regular expression pattern: {written}"));
            }
        }
        Some(value.to_owned())
    }

    fn check(&mut self, value: &str, member: &str, least: usize, most: usize) {
        let length = value.chars().count();
        if length < least {
            self.fail(value, member, &format!("Member must have length greater than or equal to {least}"));
        } else if length > most {
            self.fail(value, member, &format!("Member must have length less than or equal to {most}"));
        }
    }

    pub(crate) fn duration(&mut self, longest_s: u32) -> Option<u32> {
        let value = self.params.given("DurationSeconds")?;
        match value.parse::<u32>() {
            Ok(seconds) if (900..=longest_s).contains(&seconds) => return Some(seconds),
            Ok(seconds) if seconds < 900 => {
                self.fail(value, "durationSeconds", "Member must have value greater than or equal to 900");
            }
            Ok(_) => {
                let constraint = format!("Member must have value less than or equal to {longest_s}");
                self.fail(value, "durationSeconds", &constraint);
            }
            Err(_) => self.fail(value, "durationSeconds", "Member must be an integer"),
        }
        None
    }

    pub(crate) fn tags(&mut self) -> Vec<(String, String)> {
        let keys = self.list("Tags", ".Key", TAGS_MAX);
        let mut tags = Vec::with_capacity(keys.len());
        for (position, key) in keys.into_iter().enumerate() {
            let number = position + 1;
            let value = self.params.given(&format!("Tags.member.{number}.Value")).unwrap_or("");
            self.check(&key, &format!("tags.{number}.member.key"), 1, 128);
            self.check(value, &format!("tags.{number}.member.value"), 0, 256);
            tags.push((key, value.to_owned()));
        }
        tags
    }

    /// `Name.member.1`, `Name.member.2` ... with this suffix.
    pub(crate) fn list(&mut self, name: &str, suffix: &str, most: usize) -> Vec<String> {
        let Ok(values) = self.params.numbered(name, suffix) else {
            self.errors.push(format!("{name} must have members that are numbered 1, 2, 3 without a gap"));
            return Vec::new();
        };
        if values.len() > most {
            self.errors.push(format!("{name} must have at most {most} members"));
        }
        values.into_iter().take(most).map(str::to_owned).collect()
    }
}
