//! What shows in a function: its length, and parameters that say only yes or no.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::Violation;

const LINES_MAX: usize = 70;

/// Every function of a file, also those inside of others.
pub(crate) fn check(file: &syn::File) -> Vec<Violation> {
    let mut functions = Functions { found: Vec::new() };
    functions.visit_file(file);
    functions.found
}

struct Functions {
    found: Vec<Violation>,
}

impl Functions {
    fn length(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.span().start().line;
        let last = block.span().end().line;
        let count = last - first + 1;
        if count > LINES_MAX {
            let what = format!("`{}` has {count} lines", signature.ident);
            self.found.push(Violation::at(first, what, "style 2: at most 70 lines a function"));
        }
    }

    fn parameters(&mut self, signature: &syn::Signature) {
        for input in &signature.inputs {
            let syn::FnArg::Typed(input) = input else { continue };
            if is_bool(&input.ty) {
                let what = format!("`{}` takes a bool", signature.ident);
                let line = input.span().start().line;
                self.found.push(Violation::at(line, what, "style 13: no bool parameter"));
            }
        }
    }
}

fn is_bool(kind: &syn::Type) -> bool {
    matches!(kind, syn::Type::Path(path) if path.path.is_ident("bool"))
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.length(&function.sig, &function.block);
        self.parameters(&function.sig);
        visit::visit_item_fn(self, function);
    }

    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        for item in &block.items {
            let syn::ImplItem::Fn(function) = item else { continue };
            self.length(&function.sig, &function.block);
            // What somebody else's trait asks for is not ours to choose.
            if block.trait_.is_none() {
                self.parameters(&function.sig);
            }
        }
        visit::visit_item_impl(self, block);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        self.parameters(&function.sig);
        if let Some(block) = &function.default {
            self.length(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<usize> {
        check(&syn::parse_file(text).unwrap()).iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn a_function_has_at_most_70_lines() {
        assert!(found(&format!("fn a() {{\n{}}}\n", "\n".repeat(68))).is_empty());
        assert_eq!(found(&format!("\nfn a() {{\n{}}}\n", "\n".repeat(69))), [2]);
        assert_eq!(found(&format!("impl A {{ fn a() {{\n{}}} }}\n", "\n".repeat(69))), [1]);
    }

    #[test]
    fn no_parameter_is_a_bool() {
        assert_eq!(found("fn a(b: bool) {}"), [1]);
        assert_eq!(found("trait T { fn a(b: bool); }"), [1]);
        assert_eq!(found("impl A { fn a(&self,\n b: bool) {} }"), [2]);
        assert!(found("impl Other for A { fn a(&self, b: bool) {} }").is_empty());
        assert!(found("struct A { b: bool }\nfn a() -> bool { true }").is_empty());
    }
}
