//! Which sagas are run, and where their processes are killed.

use std::ops::RangeInclusive;

use kinoko_tests::{Order, Point, unique};

/// The steps, in order; the last one is the pivot.
pub(super) const STEPS: [&str; 4] = ["reserve", "charge", "pack", "ship"];

/// A way that a saga goes.
struct Path {
    name: &'static str,
    refused: Option<&'static str>,
    /// What happens to it anyhow.
    kills: fn() -> Vec<Point>,
    /// How many transitions it has, the start not counted.
    transitions: u64,
    /// Those that no path before it has: the others are killed at in the whole proof alone.
    own: RangeInclusive<u64>,
    /// The calls that are killed at.
    calls: &'static [&'static str],
}

const PATHS: &[Path] = &[
    Path {
        name: "completed",
        refused: None,
        kills: Vec::new,
        transitions: 4,
        own: 0..=4,
        calls: &["reserve", "charge", "pack", "ship"],
    },
    // Each call is the first that its saga makes of it: those before the refusal are as above.
    Path {
        name: "refused",
        refused: Some("ship"),
        kills: Vec::new,
        transitions: 7,
        own: 3..=7,
        calls: &["ship", "undo pack", "undo charge", "undo reserve"],
    },
    Path {
        name: "taken-over",
        refused: None,
        kills: || vec![Point::Answered("pack".into())],
        transitions: 5,
        own: 3..=3,
        calls: &["pack"],
    },
    Path {
        name: "taken-over-going-back",
        refused: Some("ship"),
        kills: || vec![Point::Answered("undo charge".into())],
        transitions: 8,
        own: 6..=6,
        calls: &["undo charge"],
    },
    // Both attempts at it end without anybody knowing, so that it goes back from there.
    Path {
        name: "unknown",
        refused: None,
        kills: || vec![Point::Asked("charge".into()); 2],
        transitions: 5,
        own: 2..=5,
        calls: &["undo charge"],
    },
];

impl Path {
    /// A saga that goes this way.
    fn order(&self) -> Order {
        Order { id: unique(self.name), refused: self.refused.map(str::to_owned), kills: (self.kills)() }
    }

    fn killed_at(&self, point: Point) -> Case {
        let mut order = self.order();
        order.kills.push(point);
        Case { order, transitions: None }
    }
}

/// A saga that is run alone.
pub(super) struct Case {
    pub(super) order: Order,
    /// How many transitions it must have in the end, the start not counted, where that is known.
    pub(super) transitions: Option<u64>,
}

impl Case {
    /// Whether a process of effects is killed by it.
    pub(super) fn kills_effects(&self) -> bool {
        self.order.kills.iter().any(|kill| matches!(kill, Point::Worked(_) | Point::Committed(_)))
    }
}

/// The kills around one transition.
fn around(transition: u64) -> [Point; 4] {
    [Point::Before(transition), Point::Sent(transition), Point::Written(transition), Point::After(transition)]
}

/// The kills of either side of one call.
fn during(call: &str) -> [Point; 4] {
    [Point::Asked, Point::Answered, Point::Worked, Point::Committed].map(|point| point(call.to_owned()))
}

/// A saga for each way, and one for each place of it.
pub(super) fn exact(full: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    for path in PATHS {
        cases.push(Case { order: path.order(), transitions: Some(path.transitions) });
        // Of a way with kills of its own only what comes after them: one before them may lose the race to be first, and never happens then.
        let whole = full && (path.kills)().is_empty();
        let transitions = if whole { 0..=path.transitions } else { path.own.clone() };
        cases.extend(transitions.flat_map(around).map(|point| path.killed_at(point)));
        cases.extend(path.calls.iter().flat_map(|call| during(call)).map(|point| path.killed_at(point)));
    }
    cases
}

/// Its second process stands still at its last attempt, until another one has given that up and gone back. Only the fence keeps the one
/// that stood from going forward then.
pub(super) fn overtaken() -> Order {
    let kills = vec![Point::Asked("charge".into()), Point::Stalled("charge".into())];
    Order { id: unique("overtaken"), refused: None, kills }
}

/// The saga of a seed.
pub(super) fn random(seed: u64) -> Order {
    let mut random = fastrand::Rng::with_seed(seed);
    let refused = random.bool().then(|| STEPS[random.usize(..STEPS.len())].to_owned());
    let kills = (0..random.usize(1..=4)).map(|_| {
        let kind = random.u8(..8);
        let transition = random.u64(..10);
        let step = STEPS[random.usize(..STEPS.len())];
        let call = if random.bool() { step.to_owned() } else { format!("undo {step}") };
        let points = match kind {
            0..4 => around(transition),
            4 => return Point::Stalled(call),
            _ => during(&call),
        };
        points[random.usize(..points.len())].clone()
    });
    let kills = kills.collect();
    Order { id: format!("{}-seed-{seed}", unique("random")), refused, kills }
}
