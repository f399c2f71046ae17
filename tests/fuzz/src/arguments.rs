use std::collections::{BTreeMap, HashMap};

use kinoko::protocol::{ArgError, Args, Param, decode_args, encode_request};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{LONGEST_TEXT, TOO_DEEP, codec};

#[derive(Debug, Serialize, Deserialize)]
enum Tree {
    Leaf(i64),
    Not(Box<Tree>),
    Both { left: Box<Tree>, right: Box<Tree> },
    Many(Vec<Tree>),
    Nothing,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    sku: String,
    #[serde(default)]
    qty: u32,
}

macro_rules! parameters {
    ($($place:literal $name:ident: $type:ty),* $(,)?) => {
        /// A method's parameters, all of them optional.
        #[derive(Debug, Default, Serialize)]
        struct Everything {
            $(#[serde(skip_serializing_if = "Option::is_none")] $name: Option<$type>,)*
        }

        impl<'de> Args<'de> for Everything {
            const PARAMS: &'static [Param] =
                &[$(Param { name: stringify!($name), ty: stringify!($type), default: None, required: false, sensitive: false }),*];

            fn index(name: &str) -> Option<usize> {
                match name {
                    $(stringify!($name) => Some($place),)*
                    _ => None,
                }
            }

            fn is_set(&self, index: usize) -> bool {
                match index {
                    $($place => self.$name.is_some(),)*
                    _ => false,
                }
            }

            fn set<D: Deserializer<'de>>(&mut self, index: usize, deserializer: D) -> Result<(), D::Error> {
                match index {
                    $($place => self.$name = Some(Deserialize::deserialize(deserializer)?),)*
                    _ => unreachable!("{index}"),
                }
                Ok(())
            }
        }
    };
}

parameters! {
    0 n: u32,
    1 text: String,
    2 tree: Tree,
    3 lines: Vec<Line>,
    4 map: HashMap<String, f64>,
    5 ids: BTreeMap<u16, Vec<()>>,
    6 bytes: serde_bytes::ByteBuf,
    7 address: std::net::IpAddr,
    8 id: uuid::Uuid,
    9 pair: (bool, char),
    10 wide: i64,
    11 value: serde_json::Value,
}

/// Arguments: what binds binds again from what is written, in both codecs alike; what does not is told in few words.
pub fn arguments(data: &[u8]) {
    let Some((format, other, body)) = codec(data) else { return };
    let args = match decode_args::<Everything>(&format, body) {
        Ok(args) => args,
        Err(ArgError::Malformed(text) | ArgError::Signature(text)) => {
            assert!(text.len() <= LONGEST_TEXT, "{text}");
            return;
        }
    };
    // JSON has no form for these.
    if args.map.as_ref().is_some_and(|map| map.values().any(|value| !value.is_finite())) {
        return;
    }
    for format in [&format, &other] {
        let written = encode_request::<[(); 0], _>(format, &[], &args).expect("arguments have a form in each codec");
        match decode_args::<Everything>(format, &written) {
            Ok(read) => assert_eq!(sorted(&read), sorted(&args), "{format:?}"),
            Err(error) => assert!(error.to_string().contains(TOO_DEEP), "{format:?}: {error}"),
        }
    }
}

/// As text, since not all of it can be compared; a map has no order.
fn sorted(args: &Everything) -> String {
    let map: BTreeMap<_, _> = args.map.iter().flatten().collect();
    format!("{:?}", (&map, &args.n, &args.text, &args.tree, &args.lines, &args.ids, &args.bytes, &args.address))
        + &format!("{:?}", (&args.id, &args.pair, &args.wide, &args.value))
}
