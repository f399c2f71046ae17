//! A client that costs little: requests that are written beforehand, and just enough reading of answers.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::Ask;
use crate::{
    Failed,
    load::{self, Clock, Done, Load},
};

pub(crate) struct Client {
    server: SocketAddr,
    idle: Mutex<Vec<Connection>>,
}

struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    pub(crate) fn new(server: SocketAddr) -> Arc<Self> {
        Arc::new(Self { server, idle: Mutex::default() })
    }

    pub(crate) async fn load(self: &Arc<Self>, ask: Ask, run: Load) -> Result<Done, Failed> {
        let (client, request) = (self.clone(), Arc::new(request(ask)));
        load::run(run, Clock::EveryCall, move || {
            let (client, request) = (client.clone(), request.clone());
            async move {
                let idle = client.idle().pop();
                let mut connection = match idle {
                    Some(connection) => connection,
                    None => Connection::open(client.server).await?,
                };
                connection.ask(&request, ask).await?;
                client.idle().push(connection);
                Ok(())
            }
        })
        .await
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn request(ask: Ask) -> Vec<u8> {
    let text = match ask {
        Ask::Get => "GET /articles/7 HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n\r\n".to_owned(),
        Ask::Post => {
            let body = r#"{"sku":"TEAPOT","name":"A teapot for two","price_cents":2900,"tags":["tea","kitchen"]}"#;
            format!(
                "POST /articles HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            )
        }
    };
    text.into_bytes()
}

impl Connection {
    async fn open(server: SocketAddr) -> Result<Self, Failed> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::with_capacity(4096) })
    }

    async fn ask(&mut self, request: &[u8], ask: Ask) -> Result<(), Failed> {
        self.stream.write_all(request).await?;
        self.read.clear();
        loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err("the server hung up".into());
            }
            let Some(head) = self.read.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
            let (head, body) = (std::str::from_utf8(&self.read[..head])?, &self.read[head + 4..]);
            let expected = match ask {
                Ask::Get => "HTTP/1.1 200",
                Ask::Post => "HTTP/1.1 201",
            };
            if !head.starts_with(expected) {
                return Err(format!("answered with {head}").into());
            }
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).ok_or("no length")?;
            match length.parse::<usize>()?.cmp(&body.len()) {
                std::cmp::Ordering::Equal => return Ok(()),
                std::cmp::Ordering::Less => return Err("more than one answer".into()),
                std::cmp::Ordering::Greater => {}
            }
        }
    }
}
