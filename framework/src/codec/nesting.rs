//! How deep a body nests, told before it is decoded: decoders recurse, and a thread that runs out of stack ends the process.
//!
//! `rmp-serde` counts lists and maps, but not the variants of an enum; `serde_json` does not count what it skips. One walk without
//! recursion does both alike, and finds lengths that the body cannot hold before anybody believes them.

use super::DecodeError;

/// How many lists and maps a body may hold one inside the other, itself included. One limit for both built-in codecs.
pub const MAX_DEPTH: usize = 100;

/// Below what `serde_json` and `rmp-serde` allow of themselves, so that theirs is never met first.
const _: () = assert!(MAX_DEPTH < 127);

fn too_deep() -> DecodeError {
    malformed(&format!("the body nests deeper than {MAX_DEPTH} levels"))
}

#[cold]
fn malformed(text: &str) -> DecodeError {
    DecodeError { malformed: true, text: text.to_owned() }
}

/// Refuses JSON that nests too deep. What else is wrong with it, its decoder finds.
pub(crate) fn check_json(body: &[u8]) -> Result<(), DecodeError> {
    // Nearly every body has fewer lists and maps altogether, which is told many bytes at a time. `[` and `{` differ in one bit.
    let opened = body.iter().filter(|byte| **byte | 0x20 == b'{').count();
    if opened <= MAX_DEPTH {
        return Ok(());
    }
    let (mut depth, mut bytes) = (0usize, body.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(too_deep());
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => drop(bytes.next()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Refuses MessagePack that nests too deep, is not exactly one value, or names a length that the body does not have.
pub(super) fn check_msgpack(body: &[u8]) -> Result<(), DecodeError> {
    let mut rest = body;
    // How many values each open list or map still wants; the outermost is the body, which is one value.
    let mut wanted = [0; MAX_DEPTH + 1];
    wanted[0] = 1;
    let mut depth = 0;
    loop {
        while wanted[depth] == 0 {
            if depth == 0 {
                return if rest.is_empty() { Ok(()) } else { Err(malformed("bytes after the end of the message")) };
            }
            depth -= 1;
        }
        wanted[depth] -= 1;
        if let Some(values) = step(&mut rest)? {
            if depth == MAX_DEPTH {
                return Err(too_deep());
            }
            depth += 1;
            wanted[depth] = values;
        }
    }
}

/// Takes one value, or the head of a list or map, of which it returns how many values follow.
fn step(rest: &mut &[u8]) -> Result<Option<usize>, DecodeError> {
    let marker = number(rest, 1)?;
    let (list, pairs) = match marker {
        0x80..=0x8f => (None, Some(marker & 0x0f)),
        0x90..=0x9f => (Some(marker & 0x0f), None),
        0xdc => (Some(number(rest, 2)?), None),
        0xdd => (Some(number(rest, 4)?), None),
        0xde => (None, Some(number(rest, 2)?)),
        0xdf => (None, Some(number(rest, 4)?)),
        _ => (None, None),
    };
    if let Some(values) = list.or(pairs.map(|pairs| pairs.saturating_mul(2))) {
        // Each takes a byte at least.
        return if values <= rest.len() { Ok(Some(values)) } else { Err(cut_short()) };
    }
    let length = match marker {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => 0,
        0xa0..=0xbf => marker & 0x1f,
        0xcc | 0xd0 => 1,
        0xcd | 0xd1 | 0xd4 => 2,
        0xd5 => 3,
        0xca | 0xce | 0xd2 => 4,
        0xd6 => 5,
        0xcb | 0xcf | 0xd3 => 8,
        0xd7 => 9,
        0xd8 => 17,
        0xc4 | 0xd9 => number(rest, 1)?,
        0xc5 | 0xda => number(rest, 2)?,
        0xc6 | 0xdb => number(rest, 4)?,
        // An extension's type is one byte more.
        0xc7 => number(rest, 1)? + 1,
        0xc8 => number(rest, 2)? + 1,
        0xc9 => number(rest, 4)?.saturating_add(1),
        _ => return Err(malformed("a byte that MessagePack does not use")),
    };
    *rest = rest.get(length..).ok_or_else(cut_short)?;
    Ok(None)
}

fn number(rest: &mut &[u8], bytes: usize) -> Result<usize, DecodeError> {
    let (number, after) = rest.split_at_checked(bytes).ok_or_else(cut_short)?;
    *rest = after;
    Ok(number.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

#[cold]
fn cut_short() -> DecodeError {
    malformed("the body ends before its values do")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::codec::Format;

    fn nested(format: &Format, depth: usize) -> Vec<u8> {
        match format {
            Format::Json => [vec![b'['; depth], vec![b']'; depth]].concat(),
            // The innermost list is empty.
            _ => [vec![0x91; depth - 1], vec![0x90]].concat(),
        }
    }

    #[test]
    fn both_codecs_take_the_same_depth() {
        for format in [Format::Json, Format::MessagePack] {
            assert!(format.decode::<Value>(&nested(&format, MAX_DEPTH)).is_ok(), "{format:?}");
            for depth in [MAX_DEPTH + 1, 127, 128, 100_000] {
                let error = format.decode::<Value>(&nested(&format, depth)).unwrap_err();
                assert_eq!(
                    (error.malformed, &*error.text),
                    (true, "the body nests deeper than 100 levels"),
                    "{format:?}"
                );
                // What is skipped recurses as well.
                assert!(format.decode::<serde::de::IgnoredAny>(&nested(&format, depth)).is_err(), "{format:?}");
            }
        }
    }

    #[test]
    fn an_enum_cannot_nest_where_a_list_cannot() {
        #[derive(Debug, serde::Serialize, serde::Deserialize)]
        enum Expression {
            Not(Box<Expression>),
            True,
        }
        let deep = |depth| (0..depth).fold(Expression::True, |inner, _| Expression::Not(Box::new(inner)));
        for format in [Format::Json, Format::MessagePack] {
            let body = format.encode(&deep(MAX_DEPTH)).unwrap();
            assert!(format.decode::<Expression>(&body).is_ok(), "{format:?}");
        }
        let body = [b"\x81\xa3Not".repeat(100_000), b"\xa4True".to_vec()].concat();
        assert!(Format::MessagePack.decode::<Expression>(&body).unwrap_err().malformed);
        let body = format!("{}\"True\"{}", "{\"Not\":".repeat(100_000), "}".repeat(100_000));
        assert!(Format::Json.decode::<Expression>(body.as_bytes()).unwrap_err().malformed);
    }

    #[test]
    fn brackets_inside_texts_do_not_nest() {
        let body = format!(r#"["{}", "\"{}"]"#, "[".repeat(1_000), "{".repeat(1_000));
        assert!(Format::Json.decode::<Vec<String>>(body.as_bytes()).is_ok());
    }

    #[test]
    fn a_length_that_the_body_does_not_have_is_not_believed() {
        for marker in [0xc6, 0xc9, 0xdb, 0xdd, 0xdf] {
            let body = [marker, 0xff, 0xff, 0xff, 0xff, 0x01];
            let error = Format::MessagePack.decode::<Value>(&body).unwrap_err();
            assert!(error.malformed && error.text.contains("ends before"), "{marker:x}: {error}");
        }
    }

    #[test]
    fn every_kind_of_value_is_stepped_over() {
        for body in [
            &b"\x00"[..],
            b"\xff",
            b"\xc0",
            b"\xc2",
            b"\xc3",
            b"\xa1a",
            b"\xcc1",
            b"\xd01",
            b"\xcd12",
            b"\xd112",
            b"\xd4t1",
            b"\xd5t12",
            b"\xca1234",
            b"\xce1234",
            b"\xd21234",
            b"\xd6t1234",
            b"\xcb12345678",
            b"\xcf12345678",
            b"\xd312345678",
            b"\xd7t12345678",
            b"\xd8t1234567812345678",
            b"\xc4\x011",
            b"\xc5\0\x011",
            b"\xc6\0\0\0\x011",
            b"\xd9\x011",
            b"\xda\0\x011",
            b"\xdb\0\0\0\x011",
            b"\xc7\x01t1",
            b"\xc8\0\x01t1",
            b"\xc9\0\0\0\x01t1",
            b"\x91\x01",
            b"\x81\x01\x02",
            b"\xdc\0\x01\x01",
            b"\xdd\0\0\0\x01\x01",
            b"\xde\0\x01\x01\x02",
            b"\xdf\0\0\0\x01\x01\x02",
            b"\x92\x90\x80",
        ] {
            assert!(check_msgpack(body).is_ok(), "{body:x?}");
            assert!(check_msgpack(&body[..body.len() - 1]).is_err(), "{body:x?}, cut");
            assert!(check_msgpack(&[body, b"\x00"].concat()).is_err(), "{body:x?}, with more");
        }
        assert!(check_msgpack(b"\xc1").is_err());
    }
}
