use kinoko::{
    __fuzz::{header, through},
    protocol::Value,
};

const MAX_DEPTH: usize = 8;
const MAX_VALUES: usize = 4096;

/// Properties and headers as they come from a broker: lapin reads what the guard let through, and it is bounded.
pub fn headers(data: &[u8]) {
    let mut payload = [&[0; 12], data].concat();
    let Some(properties) = header(&mut payload) else { return };
    let mut values = 0;
    for (_, value) in properties.headers.iter() {
        assert!(depth(value, &mut values) <= MAX_DEPTH);
    }
    assert!(values <= MAX_VALUES);
}

fn depth(value: &Value, values: &mut usize) -> usize {
    *values += 1;
    let inside = match value {
        Value::Array(items) => items.iter().map(|item| depth(item, values)).max(),
        Value::Object(entries) => entries.values().map(|entry| depth(entry, values)).max(),
        _ => return 0,
    };
    1 + inside.unwrap_or_default()
}

/// Frames: what comes out does not depend on how it came in.
pub fn frames(data: &[u8]) {
    let Some((pieces, bytes)) = data.split_first_chunk::<3>() else { return };
    let whole = through(bytes, &[usize::MAX]);
    assert!(whole.len() <= bytes.len());
    assert_eq!(through(bytes, &pieces.map(usize::from)), whole);
}
