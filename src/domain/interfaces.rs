use std::{borrow::Cow, collections::BTreeMap};

use super::{
    document::{Node, alias},
    libvirt::Domain,
};

/// The interfaces of the domain, in its order, and by alias.
pub(super) struct Interfaces<'d> {
    list: Vec<(Node<'d>, Option<Cow<'d, str>>)>,
    /// The first of an alias and how many there are.
    by_alias: BTreeMap<Cow<'d, str>, (Node<'d>, usize)>,
}

impl<'d> Interfaces<'d> {
    pub(super) fn of(domain: &'d Domain<'_>) -> Self {
        let list: Vec<_> =
            domain.devices().children_named("interface").map(|node| (node, alias(node))).collect();
        let mut by_alias = BTreeMap::new();
        for (node, alias) in &list {
            if let Some(alias) = alias {
                by_alias.entry(alias.clone()).or_insert((*node, 0)).1 += 1;
            }
        }
        Self { list, by_alias }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Node<'d>, Option<&str>)> {
        self.list.iter().map(|(node, alias)| (*node, alias.as_deref()))
    }

    pub(super) fn with_alias(&self, alias: &str) -> Option<Node<'d>> {
        self.by_alias.get(alias).map(|&(node, _)| node)
    }

    /// The interface of this alias, if it is the only one.
    pub(super) fn only(&self, alias: &str) -> Option<Node<'d>> {
        self.by_alias.get(alias).filter(|&&(_, count)| count == 1).map(|&(node, _)| node)
    }

    pub(super) fn first(&self) -> Option<Node<'d>> {
        self.list.first().map(|&(node, _)| node)
    }
}
