//! What is changed in a frame that lapin could not read, or that would end the process. All of it keeps its length:
//!
//! - a byte that makes a name no UTF-8 becomes `?`;
//! - a list or table that nests deeper than [`MAX_DEPTH`] becomes a text of the same bytes, which is then left out as before;
//! - headers that hold more than [`MAX_VALUES`] values, or that nobody can read, become one byte string without a name.
//!
//! What follows no grammar at all is left to lapin, which closes the connection.

use super::super::convert::MAX_DEPTH;

/// How many values the headers of one message may hold: each takes a byte on the wire and up to 100 in memory.
const MAX_VALUES: usize = 4096;

/// The payload of a frame, seen as what is still to be read.
struct Cursor<'a> {
    rest: &'a mut [u8],
}

/// Nobody can read this.
#[derive(Debug)]
struct Unreadable;

type Read<T = ()> = Result<T, Unreadable>;

/// Makes the payload of a method or of a header frame readable. `false`: it follows no grammar, and what was not reached is as it was.
pub(super) fn repair(is_header: bool, payload: &mut [u8]) -> bool {
    let mut cursor = Cursor { rest: payload };
    if is_header { cursor.header() } else { cursor.method() }.is_ok()
}

impl<'a> Cursor<'a> {
    fn take(&mut self, bytes: usize) -> Read<&'a mut [u8]> {
        if bytes > self.rest.len() {
            return Err(Unreadable);
        }
        let (taken, rest) = std::mem::take(&mut self.rest).split_at_mut(bytes);
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self, bytes: usize) -> Read<usize> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// The methods that repeat what other peers wrote.
    fn method(&mut self) -> Read {
        match (self.number(2)?, self.number(2)?) {
            // connection.close, channel.close
            (10, 50) | (20, 40) => {
                self.take(2)?;
                self.name()
            }
            // basic.return
            (60, 50) => {
                self.take(2)?;
                self.name()?;
                self.name()?;
                self.name()
            }
            // basic.deliver
            (60, 60) => {
                self.name()?;
                self.take(9)?;
                self.name()?;
                self.name()
            }
            _ => Ok(()),
        }
    }

    /// The properties of a message, as their flags say.
    fn header(&mut self) -> Read {
        const CLASS_WEIGHT_SIZE: usize = 2 + 2 + 8;
        self.take(CLASS_WEIGHT_SIZE)?;
        let flags = self.number(2)?;
        for bit in (2..16).rev().filter(|bit| flags & (1 << bit) != 0) {
            match bit {
                13 => self.headers()?,
                // Delivery mode, priority, timestamp; everything else is a name.
                11 | 12 => drop(self.take(1)?),
                6 => drop(self.take(8)?),
                _ => self.name()?,
            }
        }
        Ok(())
    }

    fn name(&mut self) -> Read {
        let bytes = self.number(1)?;
        let mut text = self.take(bytes)?;
        while let Err(error) = str::from_utf8(text) {
            text[error.valid_up_to()] = b'?';
            text = &mut text[error.valid_up_to() + 1..];
        }
        Ok(())
    }

    fn headers(&mut self) -> Read {
        let bytes = self.number(4)?;
        let table = self.take(bytes)?;
        let mut values = MAX_VALUES;
        match (Cursor { rest: &mut *table }).values(true, 1, &mut values) {
            Ok(()) => Ok(()),
            Err(Unreadable) => blank(table),
        }
    }

    /// The values of a table or list up to its end. `depth` is theirs.
    fn values(mut self, named: bool, depth: usize, left: &mut usize) -> Read {
        while !self.rest.is_empty() {
            *left = left.checked_sub(1).ok_or(Unreadable)?;
            if named {
                self.name()?;
            }
            let kind = &mut self.take(1)?[0];
            match *kind {
                b'A' | b'F' if depth > MAX_DEPTH => {
                    *kind = b'S';
                    let bytes = self.number(4)?;
                    self.take(bytes)?;
                }
                b'A' | b'F' => {
                    let named = *kind == b'F';
                    let bytes = self.number(4)?;
                    Cursor { rest: self.take(bytes)? }.values(named, depth + 1, left)?;
                }
                b'S' | b'x' => {
                    let bytes = self.number(4)?;
                    self.take(bytes)?;
                }
                kind => drop(self.take(fixed_size(kind)?)?),
            }
        }
        Ok(())
    }
}

fn fixed_size(kind: u8) -> Read<usize> {
    Ok(match kind {
        b'V' => 0,
        b't' | b'b' | b'B' => 1,
        b's' | b'U' | b'u' => 2,
        b'I' | b'i' | b'f' => 4,
        b'D' => 5,
        b'L' | b'l' | b'd' | b'T' => 8,
        _ => return Err(Unreadable),
    })
}

/// One value without a name, of the length that the table has.
fn blank(table: &mut [u8]) -> Read {
    match table {
        [name, kind, length @ ..] if length.len() >= 4 => {
            let bytes = u32::try_from(length.len() - 4).map_err(|_| Unreadable)?.to_be_bytes();
            (*name, *kind) = (0, b'x');
            length[..4].copy_from_slice(&bytes);
        }
        // Too short for a length: all of it is the name.
        [name, text @ .., kind] => {
            *name = u8::try_from(text.len()).map_err(|_| Unreadable)?;
            text.fill(b'?');
            *kind = b'V';
        }
        _ => return Err(Unreadable),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use lapin::{
        protocol::basic::parse_properties,
        types::{AMQPValue, FieldTable},
    };

    use super::*;

    /// Properties as lapin reads them after the repair. `flags` are those of `properties`.
    fn read(flags: u16, properties: &[u8]) -> lapin::BasicProperties {
        let mut payload = [&[0; 12][..], &flags.to_be_bytes(), properties].concat();
        repair(true, &mut payload);
        let (rest, read) = parse_properties(&payload[12..]).expect("lapin reads it");
        assert!(rest.is_empty());
        read
    }

    fn read_headers(table: &[u8]) -> FieldTable {
        let size = u32::try_from(table.len()).unwrap().to_be_bytes();
        read(1 << 13, &[&size, table].concat()).headers().clone().expect("headers")
    }

    fn nested(depth: usize) -> Vec<u8> {
        (0..depth).fold(b"V".to_vec(), |inner, _| {
            [&b"A"[..], &u32::try_from(inner.len()).unwrap().to_be_bytes(), &inner].concat()
        })
    }

    fn depth_of(value: &AMQPValue) -> usize {
        match value {
            AMQPValue::FieldArray(values) => 1 + values.as_slice().iter().map(depth_of).max().unwrap_or_default(),
            _ => 0,
        }
    }

    #[test]
    fn names_that_are_no_text_become_one() {
        // All that there is: type, encoding, headers, mode, priority, ids, reply, expiration, message, time, kind, user, app, cluster.
        let properties = [
            b"\x03a\xffb\x02\xfe\xfd\0\0\0\x05\x03k\xe2\x82V\x02\x09\x01\xff\x01r\x01e\x01m".as_slice(),
            &7_u64.to_be_bytes(),
            b"\x02t\x80\x01u\x04\xc3\xbc\xf0\x9f\x01c",
        ];
        let read = read(0xfffc, &properties.concat());
        assert_eq!(read.content_type().as_ref().map(|text| text.as_str()), Some("a?b"));
        assert_eq!(read.content_encoding().as_ref().map(|text| text.as_str()), Some("??"));
        assert_eq!(read.correlation_id().as_ref().map(|text| text.as_str()), Some("?"));
        assert_eq!(read.kind().as_ref().map(|text| text.as_str()), Some("t?"));
        assert_eq!(read.app_id().as_ref().map(|text| text.as_str()), Some("ü??"));
        assert_eq!((*read.timestamp(), *read.priority()), (Some(7), Some(9)));
        assert!(read.headers().as_ref().is_some_and(|table| table.contains_key("k??")));
    }

    #[test]
    fn what_nests_too_deep_becomes_a_text() {
        for depth in [1, MAX_DEPTH, MAX_DEPTH + 1, 1_000, 26_000] {
            let table = [b"\x01d", &*nested(depth), b"\x01nI\0\0\0\x05"].concat();
            let headers = read_headers(&table);
            let headers = headers.inner();
            assert_eq!(depth_of(&headers["d"]), depth.min(MAX_DEPTH));
            assert_eq!(headers["n"], AMQPValue::LongInt(5), "what stands beside it is read");
        }
    }

    #[test]
    fn headers_that_nobody_can_read_become_bytes() {
        let many = b"\x01kV".repeat(MAX_VALUES + 1);
        for table in [
            b"\x01k?".as_slice(),
            b"\x09k",
            b"\x09kk",
            b"\x01kS\xff\xff\xff\xff",
            b"\x01kI\0",
            b"\x01kA\0\0\0\x02tt",
            b"\x01kF\0\0\0\x09\x01kV",
            &many,
        ] {
            let headers = read_headers(table);
            assert_eq!(headers.inner().len(), 1, "{headers:?}");
        }
        assert_eq!(read_headers(&b"\x01kV".repeat(MAX_VALUES)).inner().len(), 1);
    }

    #[test]
    fn what_follows_no_grammar_is_left_as_it_is() {
        // A table of one byte.
        let short = [&[0; 12][..], b"\x20\0\0\0\0\x01\x05"].concat();
        for payload in [&short[..], b"", b"\0\x3c\0\x3c\xff", b"\0\x3c", b"\0\x3c\0\x32\0"] {
            for is_header in [false, true] {
                let mut changed = payload.to_vec();
                repair(is_header, &mut changed);
                assert_eq!(changed, payload);
            }
        }
    }
}
