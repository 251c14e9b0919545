//! Where new elements go, in the style of what surrounds them.

use super::{document::Node, splice::Edit};

/// The longest newline and indent that is repeated for a new element. Without a limit, an answer could grow to a
/// multiple of the domain.
const LEAD_MAX: usize = 256;

/// The newline and indent directly before the element; empty if it does not begin a line.
pub(super) fn lead(node: Node<'_>) -> &str {
    let before = node.before();
    let line = before.trim_end_matches([' ', '\t']);
    let lead = match line.strip_suffix('\n') {
        Some(rest) => &before[rest.strip_suffix('\r').unwrap_or(rest).len()..],
        None => "",
    };
    if lead.len() > LEAD_MAX { "" } else { lead }
}

/// Appends elements after the last child of `parent`, each on its own line if its siblings are.
pub(super) fn append_children(parent: Node<'_>, fragments: &[String]) -> Edit {
    if let Some(last) = parent.last_child() {
        return insert_after(last, fragments);
    }
    let inner: String = match lead(parent) {
        "" => fragments.concat(),
        lead => fragments.iter().flat_map(|xml| [lead, "\t", xml.as_str()]).chain([lead]).collect(),
    };
    if parent.is_self_closed() {
        Edit::replace(parent.range(), format!("{}>{inner}</{}>", parent.open_tag(), parent.name()))
    } else {
        Edit::insert(parent.content_end(), inner)
    }
}

/// Inserts siblings directly after `node`.
pub(super) fn insert_after(node: Node<'_>, fragments: &[String]) -> Edit {
    let lead = lead(node);
    Edit::insert(node.range().end, fragments.iter().flat_map(|xml| [lead, xml]).collect())
}

/// Inserts siblings directly before `node`.
pub(super) fn insert_before(node: Node<'_>, fragments: &[String]) -> Edit {
    let lead = lead(node);
    Edit::insert(node.range().start, fragments.iter().flat_map(|xml| [xml, lead]).collect())
}

#[cfg(test)]
mod tests {
    use super::{super::xml, *};

    #[test]
    fn a_long_indent_is_not_repeated() {
        for (spaces, repeated) in [(0, 1), (255, 256), (256, 0), (100_000, 0)] {
            let text = format!("<a>\n{}<b/></a>", " ".repeat(spaces));
            let document = xml::parse(text.as_bytes()).unwrap();
            let child = document.root().last_child().unwrap();
            assert_eq!(lead(child).len(), repeated);
            assert_eq!(insert_after(child, &["<c/>".to_owned()]).text.len(), repeated + 4);
        }
    }
}
