//! Words that the glossary bans from the names of files and items.

use syn::visit::{self, Visit};

use super::Violation;

/// The glossary's last line; whole words of a name, whichever case.
const WORDS: &[&str] = &[
    "manager", "handler", "helper", "helpers", "util", "utils", "common", "inner", "info", "data",
    "context", "object", "asset",
];
/// Beginnings that say nothing.
const BEGINNINGS: &[&str] = &["do", "get", "process"];
/// What the face of the cache is called by, since everybody who has used one looks for these words; a
/// plain `get` is no banned beginning.
const OF_THE_FIELD: &[&str] = &["get_or_load", "get_many"];
const RULE: &str = "style 11 and the glossary: banned name";

/// The file's own name and every item, field and method in it.
pub(crate) fn check(file: &str, parsed: &syn::File) -> Vec<Violation> {
    let mut names = Names { found: Vec::new() };
    let stem = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".rs");
    if let Some(word) = banned_word(stem) {
        names.found.push(Violation::at(1, format!("a file named `{stem}`: {word}"), RULE));
    }
    names.visit_file(parsed);
    names.found
}

struct Names {
    found: Vec<Violation>,
}

impl Names {
    fn noun(&mut self, name: &syn::Ident) {
        if let Some(word) = banned_word(&name.to_string()) {
            let line = name.span().start().line;
            self.found.push(Violation::at(line, format!("`{name}`: {word}"), RULE));
        }
    }

    fn verb(&mut self, name: &syn::Ident) {
        let first = words(&name.to_string()).into_iter().next().unwrap_or_default();
        let is_of_the_field = OF_THE_FIELD.iter().any(|word| name == word);
        if BEGINNINGS.contains(&first.as_str()) && name != first.as_str() && !is_of_the_field {
            let line = name.span().start().line;
            self.found.push(Violation::at(line, format!("`{name}`: {first}_"), RULE));
        }
        self.noun(name);
    }
}

fn banned_word(name: &str) -> Option<&'static str> {
    let words = words(name);
    WORDS.iter().find(|banned| words.iter().any(|word| word == *banned)).copied()
}

/// `CacheKey` and `cache_key` are both `cache` and `key`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for letter in name.chars() {
        if letter == '_' || (letter.is_uppercase() && after_lower) {
            words.push(String::new());
        }
        after_lower = letter.is_lowercase() || letter.is_numeric();
        if let Some(word) = words.last_mut().filter(|_| letter != '_') {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Tests are sentences, which may say any word.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|it| it.path().segments.last().is_some_and(|last| last.ident == "test"))
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if !is_test(&function.attrs) {
            self.verb(&function.sig.ident);
        }
        visit::visit_item_fn(self, function);
    }

    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        // Names that somebody else's trait asks for are not ours to choose.
        if block.trait_.is_some() {
            return;
        }
        visit::visit_item_impl(self, block);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.verb(&function.sig.ident);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        self.verb(&function.sig.ident);
        visit::visit_trait_item_fn(self, function);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.noun(&item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.noun(&item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.noun(&item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.noun(&item.ident);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.noun(&item.ident);
        visit::visit_item_mod(self, item);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.noun(&item.ident);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.noun(&item.ident);
    }

    fn visit_variant(&mut self, item: &'ast syn::Variant) {
        self.noun(&item.ident);
        visit::visit_variant(self, item);
    }

    fn visit_field(&mut self, item: &'ast syn::Field) {
        if let Some(name) = &item.ident {
            self.noun(name);
        }
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if let Some(name) = &item.ident {
            self.noun(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let parsed = syn::parse_file(text).unwrap();
        check("src/cache.rs", &parsed).into_iter().map(|violation| violation.what).collect()
    }

    #[test]
    fn banned_words_are_found_in_names_of_every_kind() {
        assert_eq!(found("struct CacheManager;"), ["`CacheManager`: manager"]);
        assert_eq!(found("fn get_entry() {}"), ["`get_entry`: get_"]);
        assert_eq!(found("struct A { user_data: u8 }"), ["`user_data`: data"]);
        assert_eq!(found("mod util {}"), ["`util`: util"]);
        assert_eq!(found("impl A { fn process_all() {} }"), ["`process_all`: process_"]);
        assert_eq!(found("const HANDLER: u8 = 0;"), ["`HANDLER`: handler"]);
    }

    #[test]
    fn parts_of_words_and_foreign_names_are_free() {
        assert!(found("struct Database;\nfn together() {}\nfn get() {}").is_empty());
        assert!(found("impl Tree for A { fn get_entry() {} }").is_empty());
        assert!(found("#[test]\nfn a_data_frame_without_end() {}").is_empty());
    }

    #[test]
    fn a_file_name_counts_too() {
        let parsed = syn::parse_file("").unwrap();
        assert_eq!(check("src/util.rs", &parsed).len(), 1);
    }
}
