use crate::request::Request;

/// `POST /` (or `GET /?Action=`): a call of the IAM or STS query API. Its parameters are in the query, the body or
/// both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The parameters of the query string, decoded, in order.
    pub query: Vec<(String, String)>,
}

impl Query {
    pub(crate) fn parse(request: &Request<'_>) -> Self {
        Self { query: request.query.to_pairs() }
    }

    /// `Action` in the query string. Calls by POST have it in the body.
    pub fn action(&self) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == "Action").map(|(_, value)| value.as_str())
    }
}
