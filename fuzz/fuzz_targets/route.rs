//! The head of a request: it gives one operation or an error, and the operation has permissions and condition keys.
//!
//! The lines of the input are: method and target, then `name: value`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use s3::route;

fuzz_target!(|text: &str| {
    let Some(head) = parts(text) else { return };
    let once = route(&head, None);
    let twice = route(&head, None);
    assert_eq!(format!("{once:?}"), format!("{twice:?}"), "the same head gives the same operation");
});

fn parts(text: &str) -> Option<http::request::Parts> {
    let mut lines = text.lines();
    let (method, target) = lines.next()?.split_once(' ')?;
    let mut builder = http::Request::builder().method(method).uri(target);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        builder = builder.header(name, value.trim());
    }
    Some(builder.body(()).ok()?.into_parts().0)
}
