//! CreateMultipartUpload.

use crate::body::ObjectBody;
use crate::op::{Call, Run};
use access::Permit;
use aws_lc_rs::digest;
use filer::{Entry, Mutation, Transaction};
use s3::S3Error;
use s3::op::{CreateMultipartUpload, CreateMultipartUploadOutput};

use super::random_uuid;
use crate::errors;
use crate::object::{self, attribute};
use crate::op::answer::{self, Answer};
use crate::op::new_entry::{described, require_supported, require_writable};

/// Begins an upload in parts. What the object will be given is kept on the upload's directory.
impl Run for CreateMultipartUpload {
    async fn run(call: &Call<'_>, permit: Permit<Self>, _body: ObjectBody) -> Answer {
        let input = permit.into_operation();
        let bucket = call.existing_bucket()?;
        require_writable(bucket)?;
        require_supported(&input.object)?;
        if input.target.key.is_directory_marker() {
            return Err(S3Error::not_implemented("A multipart upload to a key that ends in `/`"));
        }
        let mut extended = described(&input.object);
        extended.insert(attribute::UPLOAD_KEY.to_owned(), input.target.key.as_str().as_bytes().to_vec());
        extended.insert(attribute::OWNER.to_owned(), call.object_owner(bucket).into_bytes());
        if let Some(algorithm) = input.checksum_algorithm {
            let kind = input.checksum_type.unwrap_or(algorithm.default_type());
            let header = object::canonical_header_name(algorithm.header());
            extended.insert(attribute::CHECKSUM_ALGORITHM.to_owned(), header.into_bytes());
            extended.insert(attribute::CHECKSUM_TYPE.to_owned(), kind.as_str().as_bytes().to_vec());
        }
        let upload_id = upload_id(input.target.key.as_str());
        let mime = input.object.content.content_type.as_deref().unwrap_or_default();
        let entry = Entry {
            name: upload_id.clone(),
            is_directory: true,
            attributes: Some(call.directory_attributes(mime)),
            extended,
            ..Entry::default()
        };
        let directory = call.uploads_path(&input.target.bucket);
        let path = format!("{directory}/{upload_id}");
        let transaction = Transaction {
            lock_key: call.object_path(&input.target.bucket, &input.target.key),
            mutations: vec![Mutation::Put { directory, entry: Box::new(entry) }],
            ..Transaction::default()
        };
        call.write_below(&path, transaction).await.map_err(errors::from_filer)?;
        let output = CreateMultipartUploadOutput { bucket: input.target.bucket, key: input.target.key, upload_id };
        let mut response = answer::document(output.to_xml())?;
        if let Some(algorithm) = input.checksum_algorithm {
            let kind = input.checksum_type.unwrap_or(algorithm.default_type());
            answer::set_named(response.headers_mut(), "x-amz-checksum-algorithm", algorithm.as_str());
            answer::set_named(response.headers_mut(), "x-amz-checksum-type", kind.as_str());
        }
        Ok(response)
    }
}

/// SHA-1 of the key and a random UUID, in hex.
fn upload_id(key: &str) -> String {
    let of_key = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    format!("{}_{}", hex::encode(of_key), hex::encode(random_uuid()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upload_ids_are_those_of_weed() {
        let id = upload_id("mp/x");
        assert!(id.starts_with("841e8888303e61784d423ac5b76957b122bfee40_"), "{id}");
        assert_eq!((id.len(), id.parse::<s3::UploadId>().is_ok()), (73, true));
    }
}
