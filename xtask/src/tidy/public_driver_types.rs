//! No type of the Redis client appears in a public signature, not even in the driver's own: the client can then be
//! replaced or updated without breaking a user.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::Span;
use syn::{
    Fields, Generics, ImplItem, Item, ItemImpl, ItemUse, Path, Signature, TraitItem, Type, UseTree,
    Visibility,
    spanned::Spanned,
    visit::{self, Visit},
};

use super::{
    driver_names::CODE_NAMES,
    tree::{Tree, Violation},
};

pub(crate) const WHAT: &str = "no type of the redis client appears in a public signature";

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut crates: BTreeMap<&str, Vec<(&str, syn::File)>> = BTreeMap::new();
    for (path, text) in tree.texts(".rs") {
        let (Some((package, _)), Ok(file)) = (path.split_once("/src/"), syn::parse_file(text))
        else {
            continue;
        };
        crates.entry(package).or_default().push((path, file));
    }
    let mut violations = Vec::new();
    for files in crates.values() {
        let aliases = Aliases::of(files);
        for (path, file) in files {
            for line in Search::of(&file.items, &aliases).lines {
                let message = "a type of the redis client in a public signature; wrap it in a type of this crate";
                violations.push(Violation::at(path, line, message));
            }
        }
    }
    violations
}

/// Other names that a crate has given to types of the client, in whichever of its files.
#[derive(Debug, Default)]
struct Aliases(BTreeSet<String>);

impl Aliases {
    /// Names that a type of the crate's own has too are left out: names are not resolved here, and its own types are
    /// what signatures are made of.
    fn of(files: &[(&str, syn::File)]) -> Self {
        let mut aliases = Self::default();
        // An alias may be made of another one that comes later.
        loop {
            let known = aliases.0.len();
            for (_, file) in files {
                let mut found = BTreeSet::new();
                Search::knowing(&file.items, &aliases).aliases_in(&file.items, &mut found);
                aliases.0.extend(found);
            }
            if aliases.0.len() == known {
                break;
            }
        }
        let mut own = BTreeSet::new();
        for (_, file) in files {
            own_types(&file.items, &mut own);
        }
        aliases.0.retain(|alias| !own.contains(alias));
        aliases
    }
}

/// The names of types and traits that are made here.
fn own_types(items: &[Item], own: &mut BTreeSet<String>) {
    for item in items {
        let name = match item {
            Item::Struct(item) => &item.ident,
            Item::Enum(item) => &item.ident,
            Item::Trait(item) => &item.ident,
            Item::Mod(module) => {
                if let Some((_, items)) = &module.content {
                    own_types(items, own);
                }
                continue;
            }
            _ => continue,
        };
        own.insert(name.to_string());
    }
}

/// Goes through the items of one file.
#[derive(Default)]
struct Search<'a> {
    /// Names of the crate for types of the client.
    aliases: Option<&'a Aliases>,
    /// Names that `use redis::…` brought into the file.
    imported: BTreeSet<String>,
    /// Types of this file that are not public.
    private: BTreeSet<String>,
    lines: BTreeSet<usize>,
}

impl<'a> Search<'a> {
    fn of(items: &[Item], aliases: &'a Aliases) -> Self {
        let mut search = Self::knowing(items, aliases);
        search.items(items);
        search
    }

    /// A search that has learnt which names the items have for types of the client.
    fn knowing(items: &[Item], aliases: &'a Aliases) -> Self {
        let mut search = Self { aliases: Some(aliases), ..Self::default() };
        search.learn(items);
        search
    }

    /// Whether a path in the type leads to the client.
    fn names_the_client(&self, this: &Type) -> bool {
        let imported = self.imported.clone();
        let mut search = Search { aliases: self.aliases, imported, ..Search::default() };
        search.visit_type(this);
        !search.lines.is_empty()
    }

    /// The names that the items give to types of the client, and that other files can take from here.
    fn aliases_in(&self, items: &[Item], found: &mut BTreeSet<String>) {
        for item in items {
            match item {
                Item::Type(item) if self.names_the_client(&item.ty) => {
                    found.insert(item.ident.to_string());
                }
                Item::Use(item) if !matches!(item.vis, Visibility::Inherited) => {
                    let mut names = Search::default();
                    names.import(&item.tree, false);
                    found.extend(names.imported);
                }
                Item::Mod(module) => {
                    if let Some((_, items)) = &module.content {
                        self.aliases_in(items, found);
                    }
                }
                _ => {}
            }
        }
    }

    fn is_alias(&self, name: &str) -> bool {
        self.aliases.is_some_and(|aliases| aliases.0.contains(name))
    }

    fn learn(&mut self, items: &[Item]) {
        for item in items {
            let (visibility, name) = match item {
                Item::Use(item) => {
                    self.import(&item.tree, false);
                    continue;
                }
                Item::Mod(module) => {
                    if let Some((_, items)) = &module.content {
                        self.learn(items);
                    }
                    continue;
                }
                Item::Struct(item) => (&item.vis, &item.ident),
                Item::Enum(item) => (&item.vis, &item.ident),
                Item::Type(item) => {
                    if self.is_alias(&item.ident.to_string()) {
                        self.imported.insert(item.ident.to_string());
                    }
                    (&item.vis, &item.ident)
                }
                _ => continue,
            };
            if !is_public(visibility) {
                self.private.insert(name.to_string());
            }
        }
    }

    fn import(&mut self, tree: &UseTree, inside: bool) {
        match tree {
            UseTree::Path(path) => {
                let name = path.ident.to_string();
                // What is taken from elsewhere in the crate may be an alias.
                let own = matches!(name.as_str(), "crate" | "self" | "super");
                self.take_aliases(&path.tree, own);
                self.import(&path.tree, inside || is_client(&name));
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, inside)),
            UseTree::Name(name) if inside => {
                self.imported.insert(name.ident.to_string());
            }
            UseTree::Rename(name) if inside || is_client(&name.ident.to_string()) => {
                self.imported.insert(name.rename.to_string());
            }
            _ => {}
        }
    }

    fn take_aliases(&mut self, tree: &UseTree, own: bool) {
        match tree {
            _ if !own => {}
            UseTree::Path(path) => self.take_aliases(&path.tree, own),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.take_aliases(tree, own));
            }
            UseTree::Name(name) if self.is_alias(&name.ident.to_string()) => {
                self.imported.insert(name.ident.to_string());
            }
            UseTree::Rename(name) if self.is_alias(&name.ident.to_string()) => {
                self.imported.insert(name.rename.to_string());
            }
            _ => {}
        }
    }

    fn items(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Use(item) if is_public(&item.vis) => self.reexport(item),
                Item::Fn(item) if is_public(&item.vis) => self.signature(&item.sig),
                Item::Type(item) if is_public(&item.vis) => self.visit_type(&item.ty),
                Item::Const(item) if is_public(&item.vis) => self.visit_type(&item.ty),
                Item::Static(item) if is_public(&item.vis) => self.visit_type(&item.ty),
                Item::Struct(item) if is_public(&item.vis) => {
                    self.visit_generics(&item.generics);
                    self.fields(&item.fields, false);
                }
                Item::Enum(item) if is_public(&item.vis) => {
                    self.visit_generics(&item.generics);
                    item.variants.iter().for_each(|variant| self.fields(&variant.fields, true));
                }
                Item::Trait(item) if is_public(&item.vis) => {
                    self.visit_generics(&item.generics);
                    item.supertraits.iter().for_each(|bound| self.visit_type_param_bound(bound));
                    item.items.iter().for_each(|item| self.trait_item(item));
                }
                Item::Impl(item) => self.implementation(item),
                Item::Mod(module) => {
                    if let Some((_, items)) = &module.content {
                        self.items(items);
                    }
                }
                _ => {}
            }
        }
    }

    /// `pub use redis::…` hands the client out whole.
    fn reexport(&mut self, item: &ItemUse) {
        let mut names = Self { aliases: self.aliases, ..Self::default() };
        names.import(&item.tree, false);
        let root = match &item.tree {
            UseTree::Path(path) => path.ident.to_string(),
            UseTree::Name(name) => name.ident.to_string(),
            UseTree::Rename(name) => name.ident.to_string(),
            _ => String::new(),
        };
        if is_client(&root) || !names.imported.is_empty() {
            self.found(item.span());
        }
    }

    fn signature(&mut self, signature: &Signature) {
        self.visit_signature(signature);
    }

    /// Fields of an enum have no visibility of their own.
    fn fields(&mut self, fields: &Fields, all: bool) {
        for field in fields.iter().filter(|field| all || is_public(&field.vis)) {
            self.visit_type(&field.ty);
        }
    }

    fn trait_item(&mut self, item: &TraitItem) {
        match item {
            TraitItem::Fn(item) => self.signature(&item.sig),
            TraitItem::Const(item) => self.visit_type(&item.ty),
            TraitItem::Type(item) => {
                item.bounds.iter().for_each(|bound| self.visit_type_param_bound(bound));
            }
            _ => {}
        }
    }

    /// Implementations for private types are nobody's business; those of traits have no visibility of their own.
    fn implementation(&mut self, item: &ItemImpl) {
        if self.is_private(&item.self_ty) {
            return;
        }
        let Some(implemented) = &item.trait_ else {
            for item in &item.items {
                match item {
                    ImplItem::Fn(item) if is_public(&item.vis) => self.signature(&item.sig),
                    ImplItem::Const(item) if is_public(&item.vis) => self.visit_type(&item.ty),
                    _ => {}
                }
            }
            return;
        };
        let generics: &Generics = &item.generics;
        self.visit_generics(generics);
        self.visit_type(&item.self_ty);
        self.visit_path(&implemented.0);
        for item in &item.items {
            if let ImplItem::Type(item) = item {
                self.visit_type(&item.ty);
            }
        }
    }

    fn is_private(&self, this: &Type) -> bool {
        let Type::Path(path) = this else { return false };
        let segments = &path.path.segments;
        let name = segments.first().filter(|_| segments.len() == 1);
        name.is_some_and(|segment| self.private.contains(&segment.ident.to_string()))
    }

    fn found(&mut self, span: Span) {
        self.lines.insert(span.start().line);
    }
}

impl<'ast> Visit<'ast> for Search<'_> {
    fn visit_path(&mut self, path: &'ast Path) {
        let root =
            path.segments.first().map(|segment| segment.ident.to_string()).unwrap_or_default();
        let is_root_of_more = path.segments.len() > 1;
        let own = is_root_of_more && matches!(root.as_str(), "crate" | "self" | "super");
        let last = path.segments.last().map(|segment| segment.ident.to_string());
        let is_alias = own && last.is_some_and(|last| self.is_alias(&last));
        if self.imported.contains(&root) || (is_root_of_more && is_client(&root)) || is_alias {
            self.found(path.span());
        }
        visit::visit_path(self, path);
    }
}

fn is_client(name: &str) -> bool {
    CODE_NAMES.contains(&name)
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(text: &str) -> usize {
        let text = format!(
            "//! A file.\nuse redis::{{Client, RedisError as Bad, aio::Connection}};\n{text}"
        );
        check(&Tree::of(&[("crates/state-redis/src/a.rs", &text)])).len()
    }

    #[test]
    fn every_way_into_a_public_signature_is_found() {
        for text in [
            "pub fn f(c: redis::Client) {}",
            "pub fn f() -> Result<(), Bad> { Ok(()) }",
            "pub async fn f<C: redis::aio::ConnectionLike>(c: C) {}",
            "pub struct S { pub c: Vec<Connection> }",
            "pub struct S(pub deadpool_redis::Pool);",
            "pub enum E { A(Bad) }",
            "pub type C = Client;",
            "pub use redis::Cmd;",
            "pub use redis;",
            "pub use redis as driver;",
            "pub trait T: redis::ToRedisArgs {}",
            "pub trait T { fn f(&self, c: &Client); }",
            "pub struct S; impl S { pub fn f(&self) -> Client { todo!() } }",
            "pub struct E; impl From<Bad> for E { fn from(b: Bad) -> Self { E } }",
            "pub struct S; impl std::ops::Deref for S { type Target = Client; fn deref(&self) -> &Client { todo!() } }",
        ] {
            assert_eq!(violations(text), 1, "{text}");
        }
    }

    /// Of a file beside others of its crate.
    fn violations_beside(others: &[&str], text: &str) -> usize {
        let paths = ["crates/state-redis/src/b.rs", "crates/state-redis/src/c.rs"];
        let mut files = vec![("crates/state-redis/src/a.rs", text)];
        files.extend(paths.into_iter().zip(others.iter().copied()));
        check(&Tree::of(&files)).len()
    }

    #[test]
    fn aliases_of_another_file_are_found() {
        for (others, text) in [
            (&["pub(crate) type C = redis::Client;"][..], "use crate::b::C; pub fn f(c: C) {}"),
            (&["pub(crate) type C = redis::Client;"], "pub fn f(c: crate::b::C) {}"),
            (
                &["pub(super) type C = Vec<redis::Cmd>;"],
                "use super::b::{C as D}; pub struct S(pub D);",
            ),
            (
                &["pub(crate) use redis::Client as C;"],
                "use crate::b::{x::Y, C}; pub fn f() -> C { todo!() }",
            ),
            (
                &[
                    "use crate::c::Two; pub(crate) type One = Two;",
                    "pub(crate) type Two = redis::Cmd;",
                ],
                "use crate::b::One; pub type Three = Vec<u8>; pub fn f(c: &One) {}",
            ),
            (&[], "type C = redis::Client; pub fn f(c: C) {}"),
        ] {
            assert_eq!(violations_beside(others, text), 1, "{text}");
        }
    }

    #[test]
    fn what_only_has_the_name_of_an_alias_is_fine() {
        let alias = "pub(crate) type C = redis::Client;";
        for (others, text) in [
            (&[alias][..], "use other::C; pub fn f(c: C) {}"),
            (&[alias], "use crate::b::C; pub(crate) fn f(c: C) {}"),
            // Names are not resolved: an own type of that name is the more likely one.
            (&[alias, "pub struct C;"], "use crate::c::C; pub fn f(c: C) {}"),
            (&["pub(crate) type C = Vec<u8>;"], "use crate::b::C; pub fn f(c: C) {}"),
        ] {
            assert_eq!(violations_beside(others, text), 0, "{text}");
        }
        let other_crate = ("crates/other/src/b.rs", alias);
        let files = [("crates/state-redis/src/a.rs", "pub fn f(c: crate::b::C) {}"), other_crate];
        assert_eq!(check(&Tree::of(&files)), []);
    }

    #[test]
    fn the_client_may_be_used_behind_the_signatures() {
        for text in [
            "pub fn f() { let c: Client = redis::Client::open(url); }",
            "pub(crate) fn f(c: Client) {}",
            "pub struct S { c: Client }",
            "struct Frame; impl redis::ToRedisArgs for Frame {}",
            "struct Plain<C>(C); impl<C: redis::aio::ConnectionLike> Clone for Plain<C> {}",
            "pub struct S; impl S { fn f(&self) -> Client { todo!() } }",
            "pub fn f(redis: crate::redis::Own) {}",
        ] {
            assert_eq!(violations(text), 0, "{text}");
        }
    }
}
