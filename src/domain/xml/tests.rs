use super::{super::layout::lead, *};

fn refusal(xml: &str) -> String {
    parse(xml.as_bytes()).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn finds_elements_and_attributes_in_any_spelling() {
    let xml = "<?xml version='1.0' encoding='utf-8'?>\r\n<!-- <a/> --><a  b = 'x &amp; \"y\"'\n c=\"&#x41;\">\r\n\t<d/><e >t</e >\r\n</a>\n";
    let document = parse(xml.as_bytes()).unwrap();
    let root = document.root();
    assert_eq!(root.name(), "a");
    assert_eq!(root.attribute("b").as_deref(), Some("x & \"y\""));
    assert_eq!(root.attribute("c").as_deref(), Some("A"));
    assert_eq!(root.attribute("x"), None);
    let children: Vec<_> =
        root.children().map(|child| (child.source(), child.is_self_closed(), lead(child))).collect();
    assert_eq!(children, [("<d/>", true, "\r\n\t"), ("<e >t</e >", false, "")]);
    assert!(root.last_child().unwrap().has_text() && !root.has_text());
}

#[test]
fn enforces_the_rules_that_the_tokenizer_does_not() {
    for (xml, problem) in [
        ("", "line 1: there is no root element"),
        (" \n", "line 2: there is no root element"),
        ("<a>\n<b>", "line 2: it ends inside an element"),
        ("<a/>\n<b/>", "line 2: a second root element"),
        ("x<a/>", "line 1: text outside the root element"),
        ("<a/>x", "line 1: text outside the root element"),
        ("<a/>&amp;", "line 1: an entity outside the root element"),
        ("<![CDATA[x]]><a/>", "line 1: CDATA outside the root element"),
        ("<!DOCTYPE a><a/>", "line 1: a DOCTYPE is not allowed"),
        ("\u{feff}<a/>", "line 1: a byte order mark"),
        ("<a>\n<?xml version='1.0'?></a>", "line 2: an XML declaration that is not at the beginning"),
        ("<?xml version='1.1'?><a/>", "line 1: an XML version other than 1.0"),
        ("<?xml version='1.0' encoding='latin1'?><a/>", "line 1: an encoding other than UTF-8"),
        ("<?xml version='1.0' <a/>encoding='UTF-8'?><a/>", "line 1: a broken XML declaration"),
        ("<?xml encoding='UTF-8' version='1.0'?><a/>", "line 1: a broken XML declaration"),
        ("<?xml version='1.0'encoding='UTF-8'?><a/>", "line 1: a broken XML declaration"),
        ("<?xml version='1.0' standalone='maybe'?><a/>", "line 1: a broken XML declaration"),
        ("<?xml version='1.0' en!coding='UTF-8'?><a/>", "line 1: a broken XML declaration"),
        ("<a xmlns:\u{d7}b='x'/>", "line 1: an element or attribute has a name that XML does not allow"),
        ("<a>\n&nbsp;</a>", "line 2: an unknown or broken entity"),
        ("<a>&#1;</a>", "line 1: an unknown or broken entity"),
        ("<a b='&nbsp;'/>", "line 1: an unknown or broken entity in an attribute's value"),
        ("<a b='&#1;'/>", "line 1: a character that XML does not allow"),
        ("<a>\u{1}</a>", "line 1: a character that XML does not allow"),
        ("<a>\u{fffe}</a>", "line 1: a character that XML does not allow"),
        ("<a b='1' b='2'/>", "line 1: a broken or repeated attribute"),
        ("<a b/>", "line 1: a broken or repeated attribute"),
        ("<a b='1'c='2'/>", "line 1: no space before an attribute"),
        ("<a b='<'/>", "line 1: '<' in an attribute's value"),
        ("<a>]]></a>", "line 1: ']]>' in text"),
        ("<a><!-- -- --></a>", "line 1: '--' in a comment"),
        ("<a></b>", "line 1: an end tag that does not match its start tag, or broken markup"),
        ("<1a/>", "line 1: an element or attribute has a name that XML does not allow"),
        ("<a:b:c/>", "line 1: an element or attribute has a name that XML does not allow"),
        ("<a 1b='x'/>", "line 1: an element or attribute has a name that XML does not allow"),
        ("<a><?XML x?></a>", "line 1: a processing instruction has a name that XML does not allow"),
    ] {
        assert_eq!(refusal(xml), problem, "{xml}");
    }
    assert_eq!(parse(b"<a>\n\xff</a>").unwrap_err().to_string(), "line 2: not UTF-8");
}

#[test]
fn resolves_prefixes_to_namespaces() {
    let xml = r#"<a xmlns:q="urn:q"><q:b/><c xmlns:r="urn:q" xmlns:q="urn:x"><r:b/><q:b/></c><b/><z:b/></a>"#;
    let document = parse(xml.as_bytes()).unwrap();
    let local = |node: super::super::document::Node<'_>| node.local_name_in("urn:q").map(str::to_owned);
    let names: Vec<_> = document.root().children().map(local).collect();
    assert_eq!(names, [Some("b".to_owned()), None, None, None]);
    let inner: Vec<_> = document.root().child("c").unwrap().children().map(local).collect();
    assert_eq!(inner, [Some("b".to_owned()), None]);
    assert_eq!(document.root().declared_prefix("urn:q"), Some("q"));
    assert_eq!(document.root().declared_prefix("urn:x"), None);
}

/// Attributes in an order that no sorting keeps.
fn wide(count: usize, more: &str) -> String {
    let attributes: String = (0..count).rev().map(|number| format!(" a{number}='{number}'")).collect();
    format!("<a{attributes} xmlns:q='urn:q' {more}/>")
}

#[test]
fn wide_elements_are_read_like_narrow_ones() {
    for count in [1, 15, 16, 17, 40, 1000] {
        let xml = wide(count, "");
        let document = parse(xml.as_bytes()).unwrap();
        let root = document.root();
        for number in 0..count {
            let name = format!("a{number}");
            assert_eq!(root.attribute(&name).as_deref(), Some(&name[1..]), "{count}");
            assert_eq!(&xml[root.value_range(&name).unwrap()], &name[1..], "{count}");
        }
        assert_eq!(root.attribute("a"), None);
        assert_eq!(root.attribute("b"), None);
        assert_eq!(root.declared_prefix("urn:q"), Some("q"));
        for repeated in ["a0", "xmlns:q"] {
            let refused = refusal(&wide(count, &format!("{repeated}='x'")));
            assert_eq!(refused, "line 1: a broken or repeated attribute", "{count}");
        }
    }
}

#[test]
fn more_than_100000_elements_are_refused() {
    let with = |count: usize| format!("<a>{}</a>", "<b/>\n".repeat(count - 1));
    assert_eq!(parse(with(100_000).as_bytes()).unwrap().nodes().count(), 100_000);
    let text = "line 100000: more than 100000 elements, the most that this sidecar edits";
    assert_eq!(refusal(&with(100_001)), text);
}
