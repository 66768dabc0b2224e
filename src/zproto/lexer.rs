//! Schema text into tokens. Separate from the parser because blanks, comments and the odd rules
//! for numbers concern nobody else.

use super::error::{ParseError, ParseFault};

/// Names and numbers of the original fit a buffer of 64 bytes with its terminator.
const LONGEST: usize = 63;

/// One token of a schema text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    Name(&'t str),
    /// The number, with its spelling for messages.
    Number(u64, &'t str),
    /// Punctuation, or any byte that means nothing and that no rule will accept.
    Byte(u8),
    End,
}

/// Reads tokens one at a time, with one token of look-ahead.
pub(super) struct Lexer<'t> {
    rest: &'t [u8],
    line: u32,
    ahead: Option<Token<'t>>,
}

impl<'t> Lexer<'t> {
    /// A NUL byte ends the text, whatever follows it.
    pub(super) fn new(text: &'t [u8]) -> Self {
        let rest = text.split(|&b| b == 0).next().unwrap_or_default();
        Self { rest, line: 1, ahead: None }
    }

    /// An error at the place reached so far.
    pub(super) fn fail<T>(&self, fault: ParseFault) -> Result<T, ParseError> {
        Err(ParseError { line: self.line, fault })
    }

    /// The next token, left in place.
    pub(super) fn peek(&mut self) -> Result<Token<'t>, ParseError> {
        if let Some(token) = self.ahead {
            return Ok(token);
        }
        self.skip_blanks();
        let token = self.read()?;
        self.ahead = Some(token);
        Ok(token)
    }

    /// Takes the next token away.
    pub(super) fn next(&mut self) -> Result<Token<'t>, ParseError> {
        let token = self.peek()?;
        self.ahead = None;
        Ok(token)
    }

    fn skip_blanks(&mut self) {
        let mut comment = false;
        while let [first, rest @ ..] = self.rest {
            match first {
                b'\n' => {
                    comment = false;
                    self.line = self.line.saturating_add(1);
                }
                _ if comment => {}
                b'#' => comment = true,
                b' ' | b'\t' | b'\r' | 0x0b | 0x0c => {}
                _ => return,
            }
            self.rest = rest;
        }
    }

    fn read(&mut self) -> Result<Token<'t>, ParseError> {
        match *self.rest {
            [] => Ok(Token::End),
            [b'a'..=b'z' | b'A'..=b'Z', ..] => {
                let name = self.take(|b| b.is_ascii_alphanumeric() || b == b'_', 0);
                if name.len() > LONGEST {
                    return self.fail(ParseFault::NameTooLong);
                }
                Ok(Token::Name(name))
            }
            [b'0'..=b'9', ..] => self.number(),
            // An accident of the original lexer that lets texts through which are accepted to
            // this day: this control character is a number zero.
            [0x02, ref rest @ ..] => {
                self.rest = rest;
                Ok(Token::Number(0, "\u{2}"))
            }
            [byte, ref rest @ ..] => {
                self.rest = rest;
                Ok(Token::Byte(byte))
            }
        }
    }

    /// Numbers are read as by C's `strtoul` with base 0: a leading 0 means octal, reading stops
    /// at the first digit that does not belong to the base, and what is too big saturates.
    fn number(&mut self) -> Result<Token<'t>, ParseError> {
        let (text, digits, radix) = if let [b'0', b'x' | b'X', ..] = self.rest {
            let text = self.take(|b| b.is_ascii_hexdigit(), 2);
            (text, text.get(2..).unwrap_or_default(), 16)
        } else {
            let text = self.take(|b| b.is_ascii_digit(), 0);
            (text, text, if text.starts_with('0') { 8 } else { 10 })
        };
        if text.len() > LONGEST {
            return self.fail(ParseFault::NumberTooLong);
        }
        let value = digits
            .chars()
            .map_while(|c| c.to_digit(radix))
            .try_fold(0u64, |value, digit| {
                value.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))
            })
            .unwrap_or(u64::MAX);
        Ok(Token::Number(value, text))
    }

    /// Takes `start` bytes and those after them that fit.
    fn take(&mut self, fits: impl Fn(u8) -> bool, start: usize) -> &'t str {
        let more = self.rest.iter().skip(start).take_while(|&&b| fits(b)).count();
        let (text, rest) = self.rest.split_at(start + more);
        self.rest = rest;
        // Only ASCII was let through.
        std::str::from_utf8(text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Vec<u64> {
        let mut lexer = Lexer::new(text.as_bytes());
        std::iter::from_fn(|| match lexer.next() {
            Ok(Token::Number(n, _)) => Some(n),
            _ => None,
        })
        .collect()
    }

    #[test]
    fn numbers_follow_c() {
        assert_eq!(numbers("10 010 0x10 0X1f 08 0 0x"), [10, 8, 16, 31, 0, 0, 0]);
        assert_eq!(numbers("99999999999999999999999"), [u64::MAX]);
    }

    #[test]
    fn lines_are_counted_through_comments() {
        let mut lexer = Lexer::new(b"# a\n\n # b \r c\n x");
        assert_eq!(lexer.next(), Ok(Token::Name("x")));
        assert_eq!(lexer.line, 4);
    }

    #[test]
    fn nul_ends_the_text() {
        let mut lexer = Lexer::new(b"a \0 b");
        assert_eq!(lexer.next(), Ok(Token::Name("a")));
        assert_eq!(lexer.next(), Ok(Token::End));
    }
}
