//! Which nodes of a service there are, as etcd's keys and values say. No IO.
//!
//! What stands in etcd may have been put there by anybody: what is no node is passed over.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::net::address::Address;

/// The longest name of a node, in bytes.
pub const MAX_NAME: usize = 255;
/// The longest part of a foreign key or value that is shown.
const SHOWN: usize = 80;

/// What has become of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Joined,
    Left,
    /// It has another address.
    Moved,
}

/// A node has come, gone or moved. One that has left had the address last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub fate: Fate,
    pub name: Arc<str>,
    pub addr: Arc<str>,
}

/// Nodes by name: what was known last.
#[derive(Debug, Clone, Default)]
pub struct Nodes {
    known: BTreeMap<Arc<str>, Arc<str>>,
}

impl Nodes {
    /// A node has an address, which may be news.
    pub fn set(&mut self, name: &str, addr: &str) -> Option<Change> {
        let fate = match self.known.get(name) {
            Some(known) if &**known == addr => return None,
            Some(_) => Fate::Moved,
            None => Fate::Joined,
        };
        Some(self.keep(fate, name.into(), addr.into()))
    }

    /// A node is gone, if it was there.
    pub fn drop(&mut self, name: &str) -> Option<Change> {
        let (name, addr) = self.known.remove_entry(name)?;
        Some(Change { fate: Fate::Left, name, addr })
    }

    /// All that there are now: what is different from before, those that are gone first.
    pub fn replace(&mut self, listing: &BTreeMap<String, String>) -> Vec<Change> {
        let gone: Vec<Arc<str>> =
            self.known.keys().filter(|name| !listing.contains_key(&***name)).cloned().collect();
        let mut changes: Vec<Change> = gone.iter().filter_map(|name| self.drop(name)).collect();
        changes.extend(listing.iter().filter_map(|(name, addr)| self.set(name, addr)));
        changes
    }

    /// Does what others have found out.
    pub fn apply(&mut self, change: &Change) {
        match change.fate {
            Fate::Left => drop(self.known.remove(&change.name)),
            Fate::Joined | Fate::Moved => {
                self.known.insert(Arc::clone(&change.name), Arc::clone(&change.addr));
            }
        }
    }

    /// Names and addresses, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.known.iter().map(|(name, addr)| (&**name, &**addr))
    }

    fn keep(&mut self, fate: Fate, name: Arc<str>, addr: Arc<str>) -> Change {
        self.known.insert(Arc::clone(&name), Arc::clone(&addr));
        Change { fate, name, addr }
    }
}

/// The name in a key below `prefix`; `None` where it is no name.
pub fn name_of<'a>(prefix: &str, key: &'a [u8]) -> Option<&'a str> {
    let name = std::str::from_utf8(key.strip_prefix(prefix.as_bytes())?).ok()?;
    let fits = !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control);
    fits.then_some(name)
}

/// The address in a value; what is wrong with it, where it is none.
pub fn address_of(value: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(value).map_err(|_| format!("bad address {}", shown(value)))?;
    match text.parse::<Address>() {
        Ok(_) => Ok(text),
        // With all of a value that may be megabytes, and line breaks in it, the words would be useless.
        Err(_) if text.len() > SHOWN => Err(format!("bad address {}", shown(value))),
        Err(problem) => Err(problem.to_string()),
    }
}

/// Foreign bytes for the log: a line, and a short one.
pub fn shown(bytes: &[u8]) -> String {
    let cut = bytes.get(..SHOWN).unwrap_or(bytes);
    let more = if cut.len() < bytes.len() { "..." } else { "" };
    format!("\"{}{more}\"", cut.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(fate: Fate, name: &str, addr: &str) -> Change {
        Change { fate, name: name.into(), addr: addr.into() }
    }

    fn listing(nodes: &[(&str, &str)]) -> BTreeMap<String, String> {
        nodes.iter().map(|(name, addr)| ((*name).to_owned(), (*addr).to_owned())).collect()
    }

    #[test]
    fn only_what_is_new_is_a_change() {
        let mut nodes = Nodes::default();
        assert_eq!(nodes.set("a", "h:1"), Some(change(Fate::Joined, "a", "h:1")));
        assert_eq!(nodes.set("a", "h:1"), None);
        assert_eq!(nodes.set("a", "h:2"), Some(change(Fate::Moved, "a", "h:2")));
        assert_eq!(nodes.drop("a"), Some(change(Fate::Left, "a", "h:2")));
        assert_eq!(nodes.drop("a"), None);
    }

    #[test]
    fn a_new_listing_tells_the_differences_only() {
        let mut nodes = Nodes::default();
        nodes.replace(&listing(&[("a", "h:1"), ("b", "h:2"), ("c", "h:3")]));
        let changes = nodes.replace(&listing(&[("b", "h:2"), ("c", "h:4"), ("d", "h:5")]));
        let expected = [
            change(Fate::Left, "a", "h:1"),
            change(Fate::Moved, "c", "h:4"),
            change(Fate::Joined, "d", "h:5"),
        ];
        assert_eq!(changes, expected);
        let names: Vec<_> = nodes.iter().collect();
        assert_eq!(names, [("b", "h:2"), ("c", "h:4"), ("d", "h:5")]);
    }

    #[test]
    fn changes_make_the_same_of_a_copy() {
        let (mut nodes, mut copy) = (Nodes::default(), Nodes::default());
        let steps = [&[("a", "h:1"), ("b", "h:2")][..], &[("b", "h:9")], &[], &[("a", "h:1")]];
        for step in steps {
            for change in nodes.replace(&listing(step)) {
                copy.apply(&change);
            }
            assert!(nodes.iter().eq(copy.iter()));
        }
    }

    #[test]
    fn what_is_no_name_is_passed_over() {
        assert_eq!(name_of("/s/game/", b"/s/game/a"), Some("a"));
        assert_eq!(name_of("/s/game/", b"/s/game/unix:/x/y"), Some("unix:/x/y"));
        let long = [b"/s/game/".as_slice(), &[b'x'; MAX_NAME + 1]].concat();
        for key in
            [b"/s/game/".as_slice(), b"/s/gamer/a", b"", b"/s/game/\xff", b"/s/game/a\nb", &long]
        {
            assert_eq!(name_of("/s/game/", key), None, "{key:?}");
        }
    }

    #[test]
    fn what_is_no_address_is_named_in_one_short_line() {
        assert_eq!(address_of(b"127.0.0.1:80"), Ok("127.0.0.1:80"));
        assert_eq!(address_of(b"unix:/run/x"), Ok("unix:/run/x"));
        let long = vec![b'x'; 1 << 20];
        for value in [b"".as_slice(), b"h", b"h:0", b"h:80\n", b"\xff\xfe:80", b"a\0b:80", &long] {
            let problem = address_of(value).unwrap_err();
            assert!(problem.starts_with("bad address \""), "{problem}");
            assert!(!problem.contains('\n') && problem.len() < 400, "{problem}");
        }
    }
}
