//! Sessions that users make of themselves: AssumeRole without a role.

use iam::{Caller, CallerSession, Snapshot};
use ids::AccessKeyId;
use s3::S3Error;

use super::{Session, invalid};
use crate::unverified::{UnverifiedRequest, user_caller};

impl Session {
    /// The user as of now. Fails if the access key with which the session was made is gone, is another user's by now, or would
    /// be refused itself: the session ends with its key and its user.
    pub(super) fn own_caller(
        &self,
        key: &str,
        snapshot: &Snapshot,
        access_key_id: &AccessKeyId,
        unverified: &UnverifiedRequest<'_>,
    ) -> Result<Caller, S3Error> {
        let claims = &self.verified.claims;
        let holder = snapshot.access_key(key).filter(|holder| {
            // Service accounts make no sessions: what limits their keys would not limit those.
            holder.service_account.is_none() && claims.krid.as_deref() == Some(&*holder.user.id)
        });
        let holder = holder.ok_or_else(|| invalid("the access key with which it was made no longer exists"))?;
        if holder.refusal(unverified.now.as_second()).is_some() {
            return Err(invalid("the access key with which it was made is inactive, or its user is disabled"));
        }
        self.check_revocations(None, snapshot)?;
        let session = CallerSession {
            id: claims.sid.as_str().into(),
            role_arn: "".into(),
            name: claims.snam.as_str().into(),
            issued_s: claims.iat.or(claims.nbf).unwrap_or(0),
            expires_s: claims.exp,
            policy: self.policy.clone(),
            tags: self.tags.clone(),
            transitive_tag_keys: self.transitive_tag_keys.clone(),
            source_identity: None,
            federation: None,
            origins: self.origins.clone(),
        };
        Ok(Caller { session: Some(session), ..user_caller(&holder.user, access_key_id.clone(), unverified) })
    }
}
