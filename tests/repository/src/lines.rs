use std::collections::BTreeSet;

use syn::{spanned::Spanned, visit::Visit};

use crate::Source;

/// A list of lengths, for its median and its 90th percentile.
pub struct Sizes(Vec<usize>);

impl Sizes {
    /// Sorts the lengths.
    pub fn new(mut lengths: Vec<usize>) -> Self {
        lengths.sort_unstable();
        Self(lengths)
    }

    /// The length that `percent` of all do not exceed.
    pub fn percentile(&self, percent: usize) -> usize {
        self.0.get((self.0.len() * percent / 100).min(self.0.len().saturating_sub(1))).copied().unwrap_or(0)
    }

    /// The longest.
    pub fn longest(&self) -> usize {
        self.0.last().copied().unwrap_or(0)
    }
}

/// Lines of product code: those on which a token of the product's part stands. Blank lines, comments, documentation
/// and tests do not count.
pub fn product_lines(source: &Source) -> usize {
    let mut lines = BTreeSet::new();
    for item in &source.file.items {
        mark(quote::ToTokens::to_token_stream(item), &mut lines);
    }
    lines.len()
}

fn mark(tokens: proc_macro2::TokenStream, lines: &mut BTreeSet<usize>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if is_documentation(&token, tokens.peek()) {
            tokens.next();
            continue;
        }
        let span = token.span();
        match token {
            proc_macro2::TokenTree::Group(group) => {
                lines.insert(span.start().line);
                lines.insert(span.end().line);
                mark(group.stream(), lines);
            }
            _ => lines.extend(span.start().line..=span.end().line),
        }
    }
}

/// `#` before `[doc = …]`, which is what a documentation comment becomes.
fn is_documentation(token: &proc_macro2::TokenTree, next: Option<&proc_macro2::TokenTree>) -> bool {
    let is_hash = matches!(token, proc_macro2::TokenTree::Punct(punct) if punct.as_char() == '#');
    let is_doc = |group: &proc_macro2::Group| {
        group.stream().into_iter().next().is_some_and(|first| first.to_string() == "doc")
    };
    is_hash && matches!(next, Some(proc_macro2::TokenTree::Group(group)) if is_doc(group))
}

/// Name and length of each function, from its signature to its end.
pub fn function_lengths(source: &Source) -> Vec<(String, usize)> {
    let mut functions = Functions(Vec::new());
    functions.visit_file(&source.file);
    functions.0
}

struct Functions(Vec<(String, usize)>);

impl Functions {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let length = block.span().end().line + 1 - signature.span().start().line;
        self.0.push((signature.ident.to_string(), length));
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.ident != "tests" {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.add(&function.sig, &function.block);
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.add(&function.sig, &function.block);
        syn::visit::visit_impl_item_fn(self, function);
    }
}
