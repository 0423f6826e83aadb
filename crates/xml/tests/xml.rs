//! What the writer writes, byte by byte, and what the reader refuses.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use proptest::prelude::*;
use xml::{DEPTH_MAX, Element, Forbidden, Malformed, XmlWriter, parse};

/// `<T>` with this text, in both forms of the writer.
fn written(text: &str) -> [String; 2] {
    [Forbidden::Reference, Forbidden::Replacement].map(|forbidden| {
        let mut xml = XmlWriter::fragment().forbidden(forbidden);
        xml.text("T", text);
        xml.finish()
    })
}

#[test]
fn text_is_escaped() {
    for (text, want) in [
        ("", "<T/>"),
        ("plain ~", "<T>plain ~</T>"),
        ("&amp;", "<T>&amp;amp;</T>"),
        ("<a>", "<T>&lt;a&gt;</T>"),
        ("]]>", "<T>]]&gt;</T>"),
        ("\"etag\"", "<T>&quot;etag&quot;</T>"),
        ("it's", "<T>it's</T>"),
        ("a\tb\nc", "<T>a\tb\nc</T>"),
        ("a\r\nb", "<T>a&#13;\nb</T>"),
        ("\u{7f}\u{85}\u{9f}\u{a0}", "<T>&#x7f;&#x85;&#x9f;\u{a0}</T>"),
        ("é\u{2028}\u{fffd}\u{1f41f}", "<T>é\u{2028}\u{fffd}\u{1f41f}</T>"),
    ] {
        assert_eq!(written(text), [want, want], "{text:?}");
    }
}

#[test]
fn characters_that_xml_forbids_are_references_or_replaced() {
    for (text, reference) in [
        ("\0", "&#x0;"),
        ("\u{1}", "&#x1;"),
        ("\u{8}", "&#x8;"),
        ("\u{b}", "&#xb;"),
        ("\u{c}", "&#xc;"),
        ("\u{e}", "&#xe;"),
        ("\u{1f}", "&#x1f;"),
        ("\u{fffe}", "&#xfffe;"),
        ("\u{ffff}", "&#xffff;"),
    ] {
        assert_eq!(written(text), [format!("<T>{reference}</T>"), "<T>\u{fffd}</T>".to_owned()], "{text:?}");
    }
}

#[test]
fn elements_attributes_and_values_are_put_together() {
    let mut inner = XmlWriter::fragment();
    inner.text("A", "<").value("N", 5);
    let mut xml = XmlWriter::document();
    xml.open_with("Root", &[("xmlns", "urn:x"), ("a", "\"&\"")]);
    xml.element("Inner", |xml| xml.written(&inner.finish())).element("Empty", |_| {});
    xml.optional("Some", Some("1"));
    xml.optional("Some", Some(""));
    xml.optional("None", None);
    xml.content("a&b");
    xml.close("Root");
    assert_eq!(
        xml.finish(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Root xmlns=\"urn:x\" a=\"&quot;&amp;&quot;\">\
         <Inner><A>&lt;</A><N>5</N></Inner><Empty></Empty><Some>1</Some><Some/>a&amp;b</Root>"
    );
}

fn read(xml: &str) -> Result<Element, Malformed> {
    parse(xml.as_bytes(), "R")
}

#[test]
fn documents_that_are_read() {
    let text = |xml: &str| read(xml).map(|root| root.child_text("A").unwrap().map(str::to_owned));
    for (xml, want) in [
        ("<R><A>x</A></R>", Some("x")),
        ("<R><A> x\n</A></R>", Some(" x\n")),
        ("<R><A/></R>", Some("")),
        ("<R/>", None),
        ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c -->\n<R><A>x</A></R>\n", Some("x")),
        ("\u{feff}<R><A>x</A></R>", Some("x")),
        ("<R><A>a&lt;b&gt;c&amp;d&quot;e&apos;f</A></R>", Some("a<b>c&d\"e'f")),
        ("<R><A>&#65;&#x42;&#x20ac;</A></R>", Some("AB\u{20ac}")),
        ("<R><A><![CDATA[<x>&amp;]]>y</A></R>", Some("<x>&amp;y")),
        ("<R><A>x<!-- c -->y</A></R>", Some("xy")),
        ("<R><A>a\r\nb\rc</A></R>", Some("a\nb\nc")),
        ("<R><A>a&#13;b</A></R>", Some("a\rb")),
        // Names count without their prefix, whatever the namespace.
        ("<s:R xmlns:s=\"http://s3.amazonaws.com/doc/2006-03-01/\"><s:A>x</s:A></s:R>", Some("x")),
        ("<R xmlns=\"urn:other\"><A>x</A></R>", Some("x")),
    ] {
        assert_eq!(text(xml).unwrap().as_deref(), want, "{xml}");
    }
    let grantee = read("<R xmlns:xsi=\"urn:x\" xsi:type=\"Group\" b='2'/>").unwrap();
    assert_eq!(grantee.attributes, [("type", "Group"), ("b", "2")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    assert_eq!(read("<R><A>1</A><B/><A>2</A></R>").unwrap().all("A").count(), 2);
}

#[test]
fn documents_that_are_refused() {
    for (xml, why) in [
        ("", "the body is empty, expected `R`"),
        (" \n", "the body is empty, expected `R`"),
        ("<!-- c -->", "the body is empty, expected `R`"),
        ("<S/>", "the root element is `S`, expected `R`"),
        ("<r/>", "the root element is `r`, expected `R`"),
        ("<R>", "`R` is not closed"),
        ("<R><A></R>", ""),
        ("</R>", ""),
        ("<R/><R/>", "there is a second root element"),
        ("<R/>x", "there is text outside the root element"),
        ("x<R/>", "there is text outside the root element"),
        ("&amp;<R/>", "there is text outside the root element"),
        ("<!DOCTYPE R><R/>", "a document type is not allowed"),
        ("<!DOCTYPE R [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><R>&x;</R>", "a document type is not allowed"),
        ("<R>&x;</R>", "`&x;` is not an XML character"),
        ("<R>&nbsp;</R>", "`&nbsp;` is not an XML character"),
        ("<R>&#xd800;</R>", "`&#xd800;` is not an XML character"),
        ("<R>&#x110000;</R>", "`&#x110000;` is not an XML character"),
        ("<R>&#-1;</R>", "`&#-1;` is not an XML character"),
        ("<R>&#+65;</R>", "`&#+65;` is not an XML character"),
        ("<R>&#x+41;</R>", "`&#x+41;` is not an XML character"),
        ("<R>&#;</R>", "`&#;` is not an XML character"),
        ("<R a=\"1\" a=\"2\"/>", ""),
        ("<R a=1/>", ""),
        ("<R", ""),
    ] {
        let error = read(xml).unwrap_err().to_string();
        assert!(error.ends_with(why), "{xml}: {error}");
    }
    assert_eq!(parse(b"<R>\xff</R>", "R").unwrap_err().to_string(), "the body is not UTF-8");
}

#[test]
fn limits_of_documents() {
    let nested = |depth: usize| format!("<R>{}{}</R>", "<a>".repeat(depth - 1), "</a>".repeat(depth - 1));
    assert!(read(&nested(DEPTH_MAX)).is_ok());
    assert!(read(&nested(DEPTH_MAX + 1)).is_err());
    let wide = |elements: usize| read(&format!("<R>{}</R>", "<a/>".repeat(elements - 1)));
    assert!(wide(150_000).is_ok());
    let error = wide(150_001).unwrap_err();
    assert_eq!(error.to_string(), "the document is nested too deeply or has too many elements");
}

#[test]
fn elements() {
    let root = read("<R><A>1</A><B>2</B><B>3</B></R>").unwrap();
    for (got, want) in [
        (root.child_text("A"), Ok(Some("1"))),
        (root.child_text("C"), Ok(None)),
        (root.child_text("B"), Err("`R` has more than one `B`")),
        (root.required("A").map(Some), Ok(Some("1"))),
        (root.required("C").map(Some), Err("`R` needs an element `C`")),
        (root.only(&["B", "A"]).map(|()| None), Ok(None)),
        (root.only(&["A", "C"]).map(|()| None), Err("`R` has an element `B`; expected A, C")),
    ] {
        assert_eq!(got.map_err(|error| error.to_string()), want.map_err(str::to_owned));
    }
}

proptest! {
    #[test]
    fn any_text_survives_writing_and_reading(text in any::<String>()) {
        let mut xml = XmlWriter::document();
        xml.element("Root", |xml| {
            xml.text("Text", &text);
        });
        // XML 1.0 cannot contain NUL.
        if !text.contains('\0') {
            let root = parse(xml.finish().as_bytes(), "Root").unwrap();
            prop_assert_eq!(root.child_text("Text").unwrap(), Some(text.as_str()));
        }
    }
}

#[test]
fn a_special_character_is_escaped_wherever_it_stands() {
    for plain in 0..100 {
        let (before, after) = ("x".repeat(plain), "y".repeat(100 - plain));
        for (special, escaped) in [("<", "&lt;"), ("\u{e9}", "\u{e9}"), ("\u{7f}", "&#x7f;"), ("\"&", "&quot;&amp;")] {
            let mut xml = XmlWriter::fragment();
            xml.content(&format!("{before}{special}{after}"));
            assert_eq!(xml.finish(), format!("{before}{escaped}{after}"), "{plain}");
        }
    }
}
