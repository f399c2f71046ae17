use kinoko::prelude::*;

#[event]
#[derive(serde::Serialize, serde::Deserialize)]
struct NoSource;

#[event(sources = "orders", required = true)]
#[derive(serde::Serialize, serde::Deserialize)]
struct Misspelt;

#[event(source = "orders", name = "order.*")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Pattern;

#[event(source = "my orders", name = "")]
#[derive(serde::Serialize, serde::Deserialize)]
struct BadNames;

fn main() {}
