//! Runs the operation of a permit.

use access::{Permit, Permitted};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::HeaderValue;
use s3::op::CreateBucket;
use s3::{Effect, Operation, S3Error, S3ErrorCode};

use super::Call;
use super::answer::Answer;
use crate::body::ObjectBody;
use crate::requester_pays;

/// How an operation runs.
pub(crate) trait Run: Sized {
    /// The largest document that it reads after its permission was decided; 0 if it reads none.
    const DOCUMENT_BYTES_MAX: u64 = 0;

    /// Runs the permitted operation. `body` is the part that was not read for the decision.
    fn run(call: &Call<'_>, permit: Permit<Self>, body: ObjectBody) -> impl Future<Output = Answer> + Send;
}

macro_rules! dispatch {
    ($($module:ident: $($Name:ident),+;)+ = $listed:ident: $Listed:ident) => {
        // Boxed, so that a request takes the room of its own operation, not that of the largest.
        fn dispatch<'a>(call: &'a Call<'_>, permit: Permit<Operation>, body: ObjectBody) -> BoxFuture<'a, Answer> {
            match permit.into() {
                $($(Permitted::$Name(permit) => Run::run(call, permit, body).boxed(),)+)+
                Permitted::$Listed(permit) => Run::run(call, permit, body).boxed(),
            }
        }

        /// The largest document that the operation reads after its permission was decided; 0 if it reads none.
        pub(crate) fn document_bytes_max(operation: &Operation) -> u64 {
            match operation {
                $($(Operation::$Name(_) => <s3::op::$Name as Run>::DOCUMENT_BYTES_MAX,)+)+
                Operation::$Listed(_) => <s3::op::$Listed as Run>::DOCUMENT_BYTES_MAX,
            }
        }
    };
}

s3::for_each_operation!(dispatch);

/// Runs a permitted operation, and tells the caller if the request was charged.
pub(crate) async fn execute(mut call: Box<Call<'_>>, permit: Permit<Operation>, body: ObjectBody) -> Answer {
    let is_charged = requester_pays::is_charged(&call);
    if call.lacks_bucket(permit.operation()) {
        call.make_missing_bucket(permit.operation()).boxed().await?;
    }
    let tells = permit.operation().conditional().into_iter().find(|also| also.effect == Effect::TellMissingKey);
    let mut answer = match (dispatch(&call, permit, body).await, tells) {
        // Callers who may not list a bucket do not learn which keys do not exist.
        (Err(error), Some(tells)) if matches!(error.code, S3ErrorCode::NoSuchKey | S3ErrorCode::NoSuchVersion) => {
            Err(call.require(&tells.requirement).err().unwrap_or(error))
        }
        (answer, _) => answer,
    }?;
    if is_charged {
        answer.headers_mut().insert("x-amz-request-charged", HeaderValue::from_static("requester"));
    }
    Ok(answer)
}

impl Call<'_> {
    /// Whether the operation may create its bucket, which is not there: `-autoCreateBucket`.
    fn lacks_bucket(&self, operation: &Operation) -> bool {
        self.bucket.is_none() && self.gateway.settings.auto_create_bucket && operation.makes_missing_bucket()
    }

    /// Creates the bucket for its first write, if the caller may.
    async fn make_missing_bucket(&mut self, operation: &Operation) -> Result<(), S3Error> {
        let Some(name) = operation.bucket() else { return Ok(()) };
        let Ok(permit) = self.authorize(CreateBucket::plain(name.clone())).await else { return Ok(()) };
        self.make_bucket(&permit).await?;
        let snapshot = self.gateway.snapshot.load();
        let made = snapshot.as_ref().and_then(|snapshot| snapshot.bucket(name.as_str()));
        self.bucket = made.filter(|bucket| bucket.is_there(self.now.as_second())).cloned();
        Ok(())
    }
}
