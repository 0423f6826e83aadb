use super::Owner;
use crate::document;
use crate::request::Request;
use crate::requirement::Requirement;
use crate::routed::{Route, Routed};
use crate::s3_operation::S3Operation;
use crate::target::Addressed;
use crate::{S3Error, time};

/// `GET /`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListBuckets {
    /// `prefix`.
    pub prefix: Option<String>,
    /// `max-buckets`, 1 to 10000. If absent, one answer has all buckets.
    pub max_buckets: Option<u32>,
    /// `continuation-token`.
    pub continuation_token: Option<String>,
    /// `bucket-region`.
    pub bucket_region: Option<String>,
}

/// One bucket of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketSummary {
    /// Its name.
    pub name: String,
    /// Seconds since 1970.
    pub creation_date: i64,
    /// Its region, which is shown if paging was requested, as on S3.
    pub region: Option<String>,
}

/// The answer to ListBuckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListBucketsOutput {
    /// The caller.
    pub owner: Owner,
    /// In order of names.
    pub buckets: Vec<BucketSummary>,
    /// The requested prefix.
    pub prefix: Option<String>,
    /// Where the next page begins; absent on the last page.
    pub continuation_token: Option<String>,
}

impl ListBucketsOutput {
    /// The document of the answer.
    pub fn to_xml(&self) -> String {
        let mut xml = document::begin("ListAllMyBucketsResult");
        self.owner.write("Owner", &mut xml);
        xml.open("Buckets");
        for bucket in &self.buckets {
            xml.open("Bucket");
            xml.text("Name", &bucket.name);
            xml.text("CreationDate", &time::iso8601(bucket.creation_date));
            xml.optional("BucketRegion", bucket.region.as_deref());
            xml.close("Bucket");
        }
        xml.close("Buckets");
        xml.optional("ContinuationToken", self.continuation_token.as_deref());
        xml.optional("Prefix", self.prefix.as_deref());
        xml.close("ListAllMyBucketsResult");
        xml.finish()
    }
}

impl Routed for ListBuckets {
    type On = ();
    const ROUTE: Route = Route::new("GET");

    fn parse(request: &Request<'_>, (): ()) -> Result<Self, S3Error> {
        let max_buckets = request.number("max-buckets")?;
        if let Some(number) = max_buckets.filter(|number| !(1..=10_000).contains(number)) {
            let message = "Argument max-buckets must be an integer between 1 and 10000";
            return Err(S3Error::invalid_argument("max-buckets", number.to_string(), message));
        }
        Ok(Self {
            prefix: request.owned_param("prefix"),
            max_buckets,
            continuation_token: request.owned_param("continuation-token"),
            bucket_region: request.owned_param("bucket-region"),
        })
    }
}

impl S3Operation for ListBuckets {
    fn addressed(&self) -> Addressed<'_> {
        Addressed::default()
    }

    fn needs(&self) -> Vec<Requirement> {
        vec![Requirement::list_all_my_buckets()]
    }
}
