//! Tokens into a [`Schema`].
//!
//! Structs nest to any depth that [`MAX_NESTING`] allows, so the parser keeps the open ones on a
//! stack of its own instead of recursing: a hostile schema costs memory in proportion to its
//! length and cannot exhaust the stack of the thread.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::error::{ParseError, ParseFault};
use super::lexer::{Lexer, Token};
use super::schema::{Field, Kind, MAX_NESTING, NameId, Schema, Shape, Struct, StructId};

/// Reads a schema text.
pub fn parse(text: &[u8]) -> Result<Schema, ParseError> {
    let mut parser = Parser {
        lexer: Lexer::new(text),
        schema: Schema::default(),
        open: Vec::new(),
        visible: FxHashMap::default(),
        name_ids: FxHashMap::default(),
    };
    parser.schema()?;
    Ok(parser.schema)
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    schema: Schema,
    /// The structs whose closing brace is still to come, outermost first.
    open: Vec<Struct>,
    /// The complete structs of each name that are in scope, innermost last, with the number of
    /// structs that were open around their definition.
    visible: FxHashMap<Arc<str>, Vec<(usize, StructId)>>,
    name_ids: FxHashMap<Arc<str>, NameId>,
}

impl<'t> Parser<'t> {
    fn schema(&mut self) -> Result<(), ParseError> {
        loop {
            let next = self.lexer.peek()?;
            let Some(open) = self.open.last() else {
                if next == Token::End && !self.schema.roots.is_empty() {
                    return Ok(());
                }
                self.header()?;
                continue;
            };
            match next {
                Token::Name(_) if open.fields.is_empty() => self.header()?,
                Token::Byte(b'.') => self.field()?,
                _ => {
                    self.expect(b'}')?;
                    self.close();
                }
            }
        }
    }

    /// `NAME [ NUMBER ] "{"`; the number only at the top level.
    fn header(&mut self) -> Result<(), ParseError> {
        let name = self.name()?;
        let mut tag = 0;
        if self.open.is_empty()
            && let Token::Number(value, _) = self.lexer.peek()?
        {
            self.lexer.next()?;
            tag = value as i32;
        }
        let last = self.visible.get(name).and_then(|all| all.last());
        if last.is_some_and(|&(depth, _)| depth == self.open.len()) {
            return self.lexer.fail(ParseFault::DuplicateStruct(name.into()));
        }
        if tag != 0 && self.schema.by_tag.contains_key(&tag) {
            return self.lexer.fail(ParseFault::DuplicateProtocolTag(tag));
        }
        if self.open.len() == MAX_NESTING {
            return self.lexer.fail(ParseFault::NestedTooDeep);
        }
        self.expect(b'{')?;
        self.open.push(Struct {
            name: name.into(),
            tag,
            fields: Vec::new(),
            by_name: FxHashMap::default(),
            children: Vec::new(),
            base: 0,
        });
        Ok(())
    }

    /// `"." NAME ":" NAME [ "[" [ NAME ] "]" ] NUMBER`, then all the checks in the order of the
    /// original, so that a field with several faults is refused for the same one.
    fn field(&mut self) -> Result<(), ParseError> {
        self.expect(b'.')?;
        let name = self.name()?;
        self.expect(b':')?;
        let type_name = self.name()?;
        let mut array = false;
        let mut key = None;
        if self.lexer.peek()? == Token::Byte(b'[') {
            self.lexer.next()?;
            array = true;
            if self.lexer.peek()? != Token::Byte(b']') {
                key = Some(self.name()?);
            }
            self.expect(b']')?;
        }
        let tag = match self.lexer.next()? {
            Token::Number(value, _) => value as i32,
            other => return self.unexpected("<number>", other),
        };

        let mut kind = self.kind(type_name)?;
        let tag = self.tag(name, tag)?;
        let (shared_name, name_id) = self.name_id(name);
        if self.open.last().is_some_and(|open| open.by_name.contains_key(&name_id)) {
            return self.lexer.fail(ParseFault::DuplicateField(name.into()));
        }
        let shape = match (array, key, kind) {
            (_, Some(key), _) => self.map(name, kind, key)?,
            // Arrays of bytes are strings by another name.
            (true, None, Kind::Byte) => {
                kind = Kind::String;
                Shape::One
            }
            (true, None, Kind::UByte) => {
                kind = Kind::Blob;
                Shape::One
            }
            (true, None, _) => Shape::Array,
            (false, None, _) => Shape::One,
        };
        if let Some(open) = self.open.last_mut() {
            if open.fields.is_empty() {
                open.base = tag - 1;
            }
            open.by_name.insert(name_id, open.fields.len());
            open.fields.push(Field { name: shared_name, name_id, tag, kind, shape });
        }
        Ok(())
    }

    fn kind(&self, name: &str) -> Result<Kind, ParseError> {
        if let Some(kind) = Kind::builtin(name) {
            return Ok(kind);
        }
        match self.visible.get(name).and_then(|all| all.last()) {
            Some(&(_, id)) => Ok(Kind::Struct(id)),
            None => self.lexer.fail(ParseFault::UnknownType(name.into())),
        }
    }

    fn tag(&self, name: &str, tag: i32) -> Result<u16, ParseError> {
        if tag <= 0 {
            return self.lexer.fail(ParseFault::FieldTagZero(name.into()));
        }
        let Ok(tag) = u16::try_from(tag) else {
            return self.lexer.fail(ParseFault::FieldTagTooBig(name.into()));
        };
        let before = self.open.last().and_then(|open| open.fields.last());
        if before.is_some_and(|before| tag <= before.tag) {
            return self.lexer.fail(ParseFault::FieldTagNotAscending(name.into()));
        }
        Ok(tag)
    }

    fn map(&self, name: &str, kind: Kind, key: &str) -> Result<Shape, ParseError> {
        let of = match kind {
            Kind::Struct(id) => self.schema.get(id),
            _ => None,
        };
        let Some(of) = of else {
            return self.lexer.fail(ParseFault::MapOfNonStruct(name.into()));
        };
        let at = self.name_ids.get(key).and_then(|id| of.by_name.get(id)).copied();
        let field = at.and_then(|at| Some((at, of.fields.get(at)?)));
        let (of_name, key) = (of.name.to_string(), key.to_string());
        let Some((at, field)) = field else {
            return self.lexer.fail(ParseFault::MapKeyUnknown { of: of_name, key });
        };
        if let Kind::Struct(_) = field.kind {
            return self.lexer.fail(ParseFault::MapKeyIsStruct { of: of_name, key });
        }
        if field.shape != Shape::One {
            return self.lexer.fail(ParseFault::MapKeyIsArray { of: of_name, key });
        }
        Ok(Shape::Map { key: at })
    }

    /// Completes the innermost open struct: from here on its siblings can refer to it, and nobody
    /// any more to the structs defined in it.
    fn close(&mut self) {
        let Some(done) = self.open.pop() else { return };
        let children = done.children.iter().filter_map(|child| self.schema.get(*child));
        for child in children {
            if let Some(all) = self.visible.get_mut(&child.name) {
                all.pop();
            }
        }
        // More than 2^32 structs would take a text of more bytes than that.
        let id = StructId(self.schema.structs.len() as u32);
        let depth = self.open.len();
        self.visible.entry(Arc::clone(&done.name)).or_default().push((depth, id));
        if let Some(parent) = self.open.last_mut() {
            parent.children.push(id);
        } else {
            self.schema.roots.push(id);
            self.schema.by_name.insert(Arc::clone(&done.name), id);
            if done.tag != 0 {
                self.schema.by_tag.insert(done.tag, id);
            }
        }
        self.schema.structs.push(done);
    }

    /// A name as all of the schema share it, and its number.
    fn name_id(&mut self, name: &str) -> (Arc<str>, NameId) {
        if let Some((name, &id)) = self.name_ids.get_key_value(name) {
            return (Arc::clone(name), id);
        }
        let name: Arc<str> = name.into();
        let id = NameId(self.schema.names.len() as u32);
        self.schema.names.push(Arc::clone(&name));
        self.name_ids.insert(Arc::clone(&name), id);
        (name, id)
    }

    fn name(&mut self) -> Result<&'t str, ParseError> {
        match self.lexer.next()? {
            Token::Name(name) => Ok(name),
            other => self.unexpected("<name>", other),
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), ParseError> {
        let token = self.lexer.next()?;
        if token == Token::Byte(byte) {
            return Ok(());
        }
        let wanted = match byte {
            b'{' => "'{'",
            b'}' => "'}'",
            b'.' => "'.'",
            b':' => "':'",
            _ => "']'",
        };
        self.unexpected(wanted, token)
    }

    fn unexpected<T>(&self, wanted: &'static str, found: Token<'_>) -> Result<T, ParseError> {
        let found = match found {
            Token::End => return self.lexer.fail(ParseFault::UnexpectedEnd { wanted }),
            Token::Name(text) | Token::Number(_, text) => text.escape_default().to_string(),
            Token::Byte(byte) => byte.escape_ascii().to_string(),
        };
        self.lexer.fail(ParseFault::Unexpected { wanted, found })
    }
}
