//! The parser of schema texts: it believes no size, and what it has read can be written down again.

use std::fmt::Write;

use silly_cluster::zproto::{ParseError, Schema, Shape, StructId, parse};

use crate::counting::allocated;

/// The input is a schema text.
pub fn check(text: &[u8]) {
    let (memory, parsed) = allocated(|| parse(text));
    assert!(memory < 1024 * (text.len() + 4), "{memory} bytes for {}", text.len());
    match parsed {
        Ok(schema) => check_schema(&schema),
        Err(error) => check_error(text, &error),
    }
}

fn check_schema(schema: &Schema) {
    for &id in schema.roots() {
        let of = schema.get(id).unwrap();
        assert_eq!(schema.by_name(of.name().as_bytes()), Some(id));
        assert_eq!(schema.by_tag(of.tag()), (of.tag() != 0).then_some(id));
    }
    let text = print(schema);
    let again = parse(text.as_bytes()).unwrap();
    assert_eq!(print(&again), text);
    assert_eq!(again.names(), schema.names());
}

fn check_error(text: &[u8], error: &ParseError) {
    let lines = 1 + text.iter().filter(|&&byte| byte == b'\n').count();
    assert!((1..=lines).contains(&(error.line as usize)), "{} of {lines} lines", error.line);
    assert!(error.to_string().starts_with(&format!("{}: ", error.line)));
}

/// The text of a schema: it parses to the same one, and is the same for all texts that do.
fn print(schema: &Schema) -> String {
    let mut text = String::new();
    for &id in schema.roots() {
        print_struct(schema, id, &mut text);
    }
    text
}

fn print_struct(schema: &Schema, id: StructId, text: &mut String) {
    let of = schema.get(id).unwrap();
    *text += of.name();
    if of.tag() != 0 {
        // Tags are numbers of 32 bits that may have been written without a sign only.
        write!(text, " {}", of.tag() as u32).unwrap();
    }
    *text += " {\n";
    for &child in of.children() {
        print_struct(schema, child, text);
    }
    for field in of.fields() {
        write!(text, ".{}:{}", field.name(), schema.type_name(field.kind())).unwrap();
        match (field.shape(), schema.map_key(field)) {
            (Shape::One, _) => {}
            (Shape::Array, _) => *text += "[]",
            (Shape::Map { .. }, key) => write!(text, "[{}]", key.unwrap().name()).unwrap(),
        }
        writeln!(text, " {}", field.tag()).unwrap();
    }
    *text += "}\n";
}
