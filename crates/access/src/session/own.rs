//! Sessions that users make: of themselves, or for somebody else with GetFederationToken.

use std::sync::Arc;

use iam::{Caller, CallerSession, KeyHolder, Snapshot, User};
use ids::AccessKeyId;
use policy::Principal;
use s3::S3Error;

use super::{Session, invalid};
use crate::unverified::{UnverifiedRequest, user_caller};

impl Session {
    /// The user as of now.
    pub(super) fn own_caller(
        &self,
        key: &str,
        snapshot: &Snapshot,
        access_key_id: &AccessKeyId,
        unverified: &UnverifiedRequest<'_>,
    ) -> Result<Caller, S3Error> {
        let holder = self.maker(key, snapshot, unverified)?;
        let session = CallerSession { policy: self.policy.clone(), ..self.of_maker() };
        Ok(Caller { session: Some(session), ..user_caller(&holder.user, access_key_id.clone(), unverified) })
    }

    /// Somebody for whom the user vouched, with the rights that the user has now and that the session policy allows. Without a
    /// session policy that is nothing, except what resource policies give to the session itself.
    pub(super) fn federated_caller(
        &self,
        key: &str,
        snapshot: &Snapshot,
        access_key_id: &AccessKeyId,
        unverified: &UnverifiedRequest<'_>,
    ) -> Result<Caller, S3Error> {
        let Principal::FederatedUser { account, name, .. } = &self.principal else {
            return Err(invalid("it is not a session of GetFederationToken"));
        };
        let user = self.maker(key, snapshot, unverified)?.user;
        if user.account != *account {
            return Err(invalid("its user is of another account by now"));
        }
        let session = CallerSession {
            policy: self.limits(*account, snapshot),
            federated_by: Some(Arc::clone(&user.id)),
            ..self.of_maker()
        };
        Ok(Caller {
            principal: Principal::FederatedUser { account: *account, name: name.clone(), user: path_and_name(&user) },
            arn: self.verified.claims.principal.as_str().into(),
            user_id: format!("{account}:{name}").into(),
            is_root: false,
            session: Some(session),
            ..user_caller(&user, access_key_id.clone(), unverified)
        })
    }

    /// The key with which the session was made. Fails if it is gone, is another user's by now, or would be refused itself: the
    /// session ends with its key and its user.
    fn maker(&self, key: &str, snapshot: &Snapshot, unverified: &UnverifiedRequest<'_>) -> Result<KeyHolder, S3Error> {
        let holder = snapshot.access_key(key).filter(|holder| {
            // Service accounts make no sessions: what limits their keys would not limit those.
            holder.service_account.is_none() && self.verified.claims.krid.as_deref() == Some(&*holder.user.id)
        });
        let holder = holder.ok_or_else(|| invalid("the access key with which it was made no longer exists"))?;
        if holder.refusal(unverified.now.as_second()).is_some() {
            return Err(invalid("the access key with which it was made is inactive, or its user is disabled"));
        }
        self.check_revocations(None, snapshot)?;
        Ok(holder)
    }

    /// What the token says of a session that is not of a role.
    fn of_maker(&self) -> CallerSession {
        let claims = &self.verified.claims;
        CallerSession {
            id: claims.sid.as_str().into(),
            role_arn: "".into(),
            name: claims.snam.as_str().into(),
            issued_s: claims.issued_s(),
            expires_s: claims.exp,
            policy: None,
            tags: self.tags.clone(),
            transitive_tag_keys: self.transitive_tag_keys.clone(),
            source_identity: None,
            federation: None,
            origins: self.origins.clone(),
            federated_by: None,
            mfa_at_s: claims.kmfa,
        }
    }
}

/// `/a/b/name`; `/` for root, whose name no user has.
fn path_and_name(user: &User) -> String {
    match &user.principal {
        Principal::User { path, name, .. } => format!("{}{name}", if path.is_empty() { "/" } else { path }),
        _ => "/".to_owned(),
    }
}
