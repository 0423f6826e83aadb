//! DeleteObject.

use access::Permit;
use filer::{Entry, FilerError, Mutation, Transaction};
use http::StatusCode;
use ids::ObjectKey;
use s3::op::DeleteObject;
use s3::{S3Error, Target};

use super::answer::{self, Answer};
use super::new_entry::{conflict, require_unlocked, require_writable, still};
use super::{Call, Run};
use crate::body::ObjectBody;
use crate::errors;
use crate::object;

/// How often a delete looks again when the object changes under its hands.
const ATTEMPTS: usize = 8;

/// Removes an object; removing what is not there succeeds.
impl Run for DeleteObject {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        require_writable(call.existing_bucket()?)?;
        delete(call, permit).await?;
        answer::empty(StatusCode::NO_CONTENT)
    }
}

/// Removes the object of a key, and never anything below it: `a` leaves `a/b`, and `a/` leaves both.
pub(super) async fn delete(call: &Call<'_>, permit: Permit<DeleteObject>) -> Result<(), S3Error> {
    let DeleteObject { target, condition, .. } = permit.into_operation();
    let Target { bucket, key, version_id } = &target;
    answer::refuse_version(version_id.as_ref(), call.existing_bucket()?.keeps_versions())?;
    for _ in 0..ATTEMPTS {
        let Some(entry) = call.object_if_any(bucket, key).await? else {
            return condition.check(None);
        };
        condition.check(Some(&entry.etag()))?;
        require_unlocked(&entry)?;
        match remove(call, &call.object_path(bucket, key), key, &entry).await {
            Err(FilerError::PreconditionFailed) => {}
            done => return done.map_err(errors::from_filer),
        }
    }
    Err(conflict())
}

/// Removes what was seen at a key, if it is still that.
async fn remove(call: &Call<'_>, path: &str, key: &ObjectKey, seen: &Entry) -> Result<(), FilerError> {
    let (directory, name, condition_key) = call.step_names(path, key);
    let transaction = |step: Mutation| Transaction {
        lock_key: path.to_owned(),
        conditions: still(seen).into_iter().collect(),
        condition_key: condition_key.clone(),
        mutations: vec![step],
        ..Transaction::default()
    };
    let delete = Mutation::Delete { directory: directory.clone(), name, delete_data: true, recursive: false };
    if !seen.is_directory {
        return call.filer().transact(transaction(delete)).await;
    }
    let cleared = Mutation::Put { directory, entry: Box::new(plain_directory(call, seen)) };
    if object::is_prefix_object(seen) {
        // The filer frees the object's data when it is replaced; whether it does so for a directory that goes is not known.
        call.write_below(path, transaction(cleared)).await?;
        let delete = Transaction { conditions: Vec::new(), ..transaction(delete) };
        return ignore_not_empty(call.filer().transact(delete).await);
    }
    match call.filer().transact(transaction(delete)).await {
        Err(FilerError::NotEmpty(_)) => call.write_below(path, transaction(cleared)).await,
        done => done,
    }
}

/// The directory without the object that it was.
fn plain_directory(call: &Call<'_>, seen: &Entry) -> Entry {
    let mut attributes = call.directory_attributes("");
    attributes.crtime = seen.attributes().crtime;
    attributes.inode = seen.attributes().inode;
    Entry { name: seen.name.clone(), is_directory: true, attributes: Some(attributes), ..Entry::default() }
}

fn ignore_not_empty(done: Result<(), FilerError>) -> Result<(), FilerError> {
    match done {
        Err(FilerError::NotEmpty(_)) => Ok(()),
        done => done,
    }
}
