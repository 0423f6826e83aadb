use json::{JsonError, Node, Object};

/// The error for a setting that nobody reads: the node itself, or the one with this key in it.
pub(crate) fn unknown(node: &Node<'_>, key: &str) -> JsonError {
    let path = if key.is_empty() { node.path().to_owned() } else { format!("{}.{key}", node.path()) };
    node.error(format!("unknown key `{path}`; correct it or remove it (a key that begins with `_` is a comment)"))
}

/// Refuses what was not taken from an object, except comments, whose keys begin with `_`.
pub(crate) fn refuse_unknown(object: Object<'_>) -> Result<(), JsonError> {
    object.rest().iter().find(|(key, _)| !key.starts_with('_')).map_or(Ok(()), |(_, node)| Err(unknown(node, "")))
}
