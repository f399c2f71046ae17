//! Very many calls: what grows?

use super::{Path, amqp, framework, peer::Role};
use crate::{
    Failed,
    load::{Load, Until},
    options::Options,
    payload::Codec,
};

const LOOKS: u64 = 10;

pub(crate) fn run(options: &Options, calls: u64) -> Result<(), Failed> {
    let codec = options.codecs.first().copied().unwrap_or(Codec::MessagePack);
    let mut server = Role::FrameworkServer.start(codec, &options.broker)?;
    let mut client = Role::FrameworkClient.start(codec, &options.broker)?;
    let mut watcher = Role::TwinClient.start(codec, &options.broker)?;
    println!(
        "| calls | client MiB | server MiB | waiting calls | running workers | messages in the queues | calls/s |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let mut sizes = Vec::new();
    for look in 1..=LOOKS {
        let load = Load { bytes: 100, in_flight: 64, until: Until::Calls(calls / LOOKS) };
        let done = client.run(&Path::Short.run(), load)?;
        // The acknowledgements of the last calls follow one round trip later.
        std::thread::sleep(std::time::Duration::from_millis(200));
        let mut messages = 0;
        for queue in framework::QUEUES {
            let answer = watcher.ask(&format!("queue {queue}"))?;
            messages += answer.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        let sides = (client.rss_kib()?, server.rss_kib()?);
        println!(
            "| {} | {:.1} | {:.1} | {} | {} | {messages} | {:.0} |",
            look * (calls / LOOKS),
            sides.0 as f64 / 1024.0,
            sides.1 as f64 / 1024.0,
            client.ask("busy")?,
            server.ask("busy")?,
            done.per_second(),
        );
        sizes.push(sides);
    }
    if let [.., (client_then, server_then), _, _, _, _, _, _, _, (client_now, server_now)] = sizes[..] {
        let growth = |then: u64, now: u64| (now as f64 / then as f64 - 1.0) * 100.0;
        println!(
            "\nFrom the second look to the last: client {:+.1} %, server {:+.1} %.",
            growth(client_then, client_now),
            growth(server_then, server_now)
        );
    }
    drop((client, server, watcher));
    amqp::clean_up(&options.broker)
}
