//! What stands under an attribute: heads and signatures are parsed, bodies stay tokens.

mod attributes;
mod block;
mod tokens;

pub(crate) use self::{
    attributes::{cfgs, doc_text, docs, is_ours, take_ours},
    block::{ImplBlock, Item, Method, TraitBlock},
    tokens::{Place, at, copied, find_borrow, find_word, hidden, moved, spelled},
};
