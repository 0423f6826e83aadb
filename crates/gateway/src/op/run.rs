//! Runs the operation of a permit.

use access::{Permit, Permitted};
use s3::op::CreateBucket;
use s3::{Effect, Operation, S3Error, S3ErrorCode};

use super::Call;
use super::answer::Answer;
use crate::body::ObjectBody;

/// How an operation runs.
pub(crate) trait Run: Sized {
    /// Runs the permitted operation. `body` is the part that was not read for the decision.
    fn run(call: &Call<'_>, permit: Permit<Self>, body: ObjectBody) -> impl Future<Output = Answer> + Send;
}

macro_rules! dispatch {
    ($($module:ident: $($Name:ident),+;)+ = $listed:ident: $Listed:ident) => {
        async fn dispatch(call: &Call<'_>, permit: Permit<Operation>, body: ObjectBody) -> Answer {
            match permit.into() {
                $($(Permitted::$Name(permit) => Run::run(call, permit, body).await,)+)+
                Permitted::$Listed(permit) => Run::run(call, permit, body).await,
            }
        }
    };
}

s3::for_each_operation!(dispatch);

/// Runs a permitted operation.
pub(crate) async fn execute(mut call: Call<'_>, permit: Permit<Operation>, body: ObjectBody) -> Answer {
    call.make_missing_bucket(permit.operation()).await?;
    let tells = permit.operation().conditional().into_iter().find(|also| also.effect == Effect::TellMissingKey);
    match (dispatch(&call, permit, body).await, tells) {
        // Callers who may not list a bucket do not learn which keys do not exist.
        (Err(error), Some(tells)) if matches!(error.code, S3ErrorCode::NoSuchKey | S3ErrorCode::NoSuchVersion) => {
            Err(call.must(&tells.requirement).err().unwrap_or(error))
        }
        (answer, _) => answer,
    }
}

impl Call<'_> {
    /// `-autoCreateBucket`: the first write by a caller who may create the bucket creates it.
    async fn make_missing_bucket(&mut self, operation: &Operation) -> Result<(), S3Error> {
        let Some(name) = operation.bucket().filter(|_| operation.makes_missing_bucket()) else { return Ok(()) };
        if self.bucket.is_some() || !self.gateway.settings.auto_create_bucket {
            return Ok(());
        }
        let Ok(permit) = self.authorize(CreateBucket::plain(name.clone())).await else { return Ok(()) };
        self.make_bucket(&permit).await?;
        let snapshot = self.gateway.snapshot.load();
        let made = snapshot.as_ref().and_then(|snapshot| snapshot.bucket(name.as_str()));
        self.bucket = made.filter(|bucket| bucket.is_there(self.now.as_second())).cloned();
        Ok(())
    }
}
