//! The shape of cron expressions. What they mean is for the run time to say.

use super::Entry;
use crate::diag::Diag;

/// `cron = "*/5 * * * *"`
pub(super) fn expression(entry: &Entry, diag: &mut Diag) -> Option<String> {
    let text = entry.text("*/5 * * * *", diag)?;
    let value = text.value();
    match check(&value) {
        Ok(()) => Some(value),
        Err(why) => {
            diag.on(&text, why);
            None
        }
    }
}

struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    /// Names for its values, from the least on.
    words: &'static [&'static str],
    /// Whether it takes `L`, `W`, `#` and `?`.
    is_day: bool,
}

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: [Field; 6] = [
    Field { name: "second", least: 0, most: 59, words: &[], is_day: false },
    Field { name: "minute", least: 0, most: 59, words: &[], is_day: false },
    Field { name: "hour", least: 0, most: 23, words: &[], is_day: false },
    Field { name: "day of the month", least: 1, most: 31, words: &[], is_day: true },
    Field { name: "month", least: 1, most: 12, words: &MONTHS, is_day: false },
    Field { name: "day of the week", least: 0, most: 7, words: &DAYS, is_day: true },
];

fn check(expression: &str) -> Result<(), String> {
    let parts: Vec<&str> = expression.split_whitespace().collect();
    let fields = match parts.len() {
        5 => &FIELDS[1..],
        6 => &FIELDS[..],
        count => {
            return Err(format!(
                "a cron expression has five fields, minute, hour, day of the month, month and day of the week, or six with the \
                 second first, and this has {count}: `*/5 * * * *` is every five minutes"
            ));
        }
    };
    for (part, field) in parts.into_iter().zip(fields) {
        if !part.split(',').all(|item| field.takes(item)) {
            let Field { name, least, most, .. } = field;
            return Err(format!(
                "`{part}` is no {name}: write `*`, {least} to {most}, a range `{least}-{most}`, a step `*/2`, or several with commas"
            ));
        }
    }
    Ok(())
}

impl Field {
    fn takes(&self, item: &str) -> bool {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        if step.is_some_and(|step| !step.parse::<u32>().is_ok_and(|step| step > 0)) {
            return false;
        }
        match range.split_once('-') {
            Some((from, to)) => matches!((self.value(from), self.value(to)), (Some(from), Some(to)) if from <= to),
            None => range == "*" || self.value(range).is_some() || (self.is_day && self.is_special(range)),
        }
    }

    fn value(&self, text: &str) -> Option<u32> {
        let word = self.words.iter().zip(self.least..).find(|(word, _)| word.eq_ignore_ascii_case(text));
        let value = word.map(|(_, value)| value).or_else(|| text.parse().ok())?;
        (self.least..=self.most).contains(&value).then_some(value)
    }

    /// `?`, `L`, `5L`, `LW`, `15W`, `5#2`
    fn is_special(&self, text: &str) -> bool {
        if matches!(text, "?" | "L" | "LW") {
            return true;
        }
        if let Some((day, number)) = text.split_once('#') {
            return self.value(day).is_some() && matches!(number, "1" | "2" | "3" | "4" | "5" | "L");
        }
        text.strip_suffix(['L', 'W']).is_some_and(|day| self.value(day).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn the_shape_of_an_expression_is_checked() {
        for right in
            ["* * * * *", "*/5 * * * *", "0 30 8-18/2 1,15 JAN-mar MON", "0 0 L * ?", "0 0 * * 5#2", "0 0 15W * *"]
        {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        for wrong in [
            "",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "*/0 * * * *",
            "5-1 * * * *",
            "* * 0 * *",
            "* * * FOO *",
            "a * * * *",
            "* * * * * * *",
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
        assert!(check("* 24 * * *").unwrap_err().starts_with("`24` is no hour: write `*`, 0 to 23"));
    }
}
