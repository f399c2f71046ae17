use std::time::Duration;

use syn::{Attribute, Ident, spanned::Spanned};

use super::{Entry, entries, inside, unknown_key};
use crate::diag::Diag;

/// `#[timer(…)]`
pub(crate) struct TimerArgs {
    /// The attribute's own word.
    pub(crate) word: Ident,
    /// Absent after an error.
    pub(crate) schedule: Option<ScheduleArg>,
    pub(crate) eager: bool,
    pub(crate) once_per_fleet: bool,
    pub(crate) timeout: Option<Duration>,
}

pub(crate) enum ScheduleArg {
    Every(Duration),
    Cron { expression: String, zone: String },
}

const KEYS: [&str; 6] = ["every", "cron", "zone", "eager", "once_per", "timeout"];

/// The shortest time between two ticks: below it the runtime's clock tells no ticks apart.
const SHORTEST: Duration = Duration::from_millis(1);

impl TimerArgs {
    pub(crate) fn parse(attr: &Attribute, diag: &mut Diag) -> Self {
        let word = Ident::new("timer", attr.path().span());
        let mut args = Self { word, schedule: None, eager: false, once_per_fleet: false, timeout: None };
        let clean = diag.count();
        let (mut every, mut cron, mut zone) = (None, None, None);
        for entry in entries(inside(attr, "every = \"10s\"", diag), "every = \"10s\"", diag) {
            match entry.key.to_string().as_str() {
                "every" => every = Some((some_beat(&entry, diag), entry.key)),
                "cron" => cron = Some((super::cron::expression(&entry, diag), entry.key)),
                "zone" => zone = Some((entry.text("Europe/Berlin", diag), entry.key)),
                "eager" => args.eager = entry.flag(diag),
                "once_per" => args.once_per_fleet = entry.word(&["fleet"], diag).is_some(),
                "timeout" => args.timeout = entry.some_time(diag),
                _ => unknown_key(&entry, "timer", &KEYS, diag),
            }
        }
        if let (None, Some((_, key))) = (&cron, &zone) {
            diag.on(key, "`zone` is where `cron`'s hours are read off: write `cron = \"…\"`, or leave it out");
        }
        args.schedule = match (every, cron) {
            (None, None) if diag.count() > clean => None,
            (None, None) => {
                let text = "when? write `#[timer(every = \"10s\")]` or `#[timer(cron = \"*/5 * * * *\")]`";
                diag.at(attr.path().span(), text);
                None
            }
            (Some(_), Some((_, key))) => {
                diag.on(key, "`every` and `cron` both say when: leave one of them out");
                None
            }
            (Some((every, _)), None) => every.map(ScheduleArg::Every),
            (None, Some((expression, _))) => expression.map(|expression| ScheduleArg::Cron {
                expression,
                zone: zone.and_then(|(text, _)| text).map_or_else(|| "UTC".to_owned(), |text| text.value()),
            }),
        };
        args
    }
}

fn some_beat(entry: &Entry, diag: &mut Diag) -> Option<Duration> {
    let every = entry.some_time(diag)?;
    if every < SHORTEST {
        diag.on(entry.value_tokens(), "a timer fires every `1ms` at most: what is to run without a pause is a loop");
        return None;
    }
    Some(every)
}
