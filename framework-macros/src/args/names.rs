//! Names on the wire.

use syn::LitStr;

use crate::diag::Diag;

/// A name on the wire: 1 to 200 of `A-Z a-z 0-9 _ -`. A dot separates service and method in routing keys, so no name has one.
pub(super) fn wire_name(text: &LitStr, whose: &str, diag: &mut Diag) -> Option<String> {
    let name = text.value();
    let bad = name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')));
    let why = match bad {
        _ if name.is_empty() => "is empty".to_owned(),
        _ if name.len() > 200 => "is longer than 200 characters".to_owned(),
        Some('.') => {
            "has a dot: no request would be routed to it, since the dot separates service and method".to_owned()
        }
        Some(c) => format!("has a {}", if c == ' ' { "space".to_owned() } else { format!("`{c}`") }),
        None => return Some(name),
    };
    diag.on(text, format!("the name of {whose} {why}; write letters, digits, `_` and `-`"));
    None
}

/// The longest name of a queue that leaves room for `kinoko.dead-` before it within AMQP's 255 bytes.
pub(crate) const LONGEST_QUEUE_NAME: usize = 255 - "kinoko.dead-".len();

/// The name of an event, or of who sends it. Dots are fine, as other programs write them.
pub(super) fn event_name(text: &LitStr, whose: &str, diag: &mut Diag) -> bool {
    let name = text.value();
    let why = match name.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '*' | '#')) {
        _ if name.is_empty() => "is empty; write letters, digits, `_`, `-` and dots".to_owned(),
        _ if name.len() > 200 => "is longer than 200 characters".to_owned(),
        Some(c @ ('*' | '#')) => {
            format!(
                "has a `{c}`: only a handler's event has wildcards, as in `#[event_handler(\"orders\", \"order.*\")]`"
            )
        }
        Some(' ') => "has a space; write letters, digits, `_`, `-` and dots".to_owned(),
        Some(c) => format!("has a `{c}`; write letters, digits, `_`, `-` and dots"),
        None => return true,
    };
    diag.on(text, format!("the name of {whose} {why}"));
    false
}

/// The name of an event, or a pattern of names: `order.*`, `#`.
pub(super) fn event_pattern(text: &LitStr, diag: &mut Diag) -> bool {
    let name = text.value();
    let broken = name.split('.').find(|word| word.len() > 1 && word.contains(['*', '#']));
    if let Some(word) = broken {
        let text_of_error = format!(
            "`{word}` matches nothing but itself: a wildcard stands for whole words between dots, `*` for one and `#` for any \
             number, as in `order.*`"
        );
        diag.on(text, text_of_error);
        return false;
    }
    let plain: String = name.chars().map(|c| if matches!(c, '*' | '#') { 'x' } else { c }).collect();
    event_name(&LitStr::new(&plain, text.span()), "an event", diag)
}

/// Where requests, replies, delays and marks are. Dead letters are for whoever wants them.
const OWN_QUEUES: [&str; 7] =
    ["rpc-", "rpc.reply-", "kinoko.rpc-", "kinoko.delay", "kinoko.begun-", "kinoko.alone-", "kinoko.timer-"];

/// The name of a queue that something else may own.
pub(super) fn queue_name(text: &LitStr, diag: &mut Diag) -> bool {
    let name = text.value();
    let why = if name.is_empty() {
        "a queue has a name: write it".to_owned()
    } else if name.starts_with("amq.") {
        "names that begin with `amq.` are the broker's own: write another".to_owned()
    } else if let Some(own) = OWN_QUEUES.into_iter().find(|own| name.starts_with(own)) {
        format!(
            "queues that begin with `{own}` are kinoko's own, and what it expects there would come here: write another"
        )
    } else if name.len() > LONGEST_QUEUE_NAME {
        format!(
            "a queue's name has at most {LONGEST_QUEUE_NAME} bytes here, so that its dead letters' queue can be named after it"
        )
    } else if name.contains(char::is_control) {
        "a queue's name has no control characters: write letters, digits, `_`, `-` and dots".to_owned()
    } else {
        return true;
    };
    diag.on(text, why);
    false
}
