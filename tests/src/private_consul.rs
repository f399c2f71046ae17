use std::{
    env, fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{private_broker::free_ports, unique};

/// An agent takes a second; three servers that have to agree take some.
const BOOT_LIMIT: Duration = Duration::from_secs(60);

/// An agent of Consul of a test's own, which it may kill and restart. Gone with its drop, or with the process.
#[derive(Debug)]
pub struct PrivateConsul {
    http: u16,
    serf: u16,
    base: PathBuf,
    arguments: Vec<String>,
    token: Option<String>,
    shell: Option<Child>,
}

impl PrivateConsul {
    /// Starts an agent that is its own server and keeps everything in memory, and waits until it answers.
    ///
    /// # Panics
    ///
    /// Without `KINOKO_TEST_CONSUL`: tests that call this are ignored then. And when it does not start.
    pub fn start_new() -> Self {
        let mut consul = Self::stopped(&["-dev"]);
        consul.start();
        consul.wait_for_leader();
        consul
    }

    /// Three servers that keep what they know in files, and let nobody in without `token`.
    ///
    /// # Panics
    ///
    /// As [`start_new`](Self::start_new).
    pub fn three_servers(token: &str) -> [Self; 3] {
        let acl = format!(
            r#"acl {{ enabled = true, default_policy = "deny", tokens {{ master = "{token}", agent = "{token}" }} }}
               performance {{ raft_multiplier = 1 }}"#
        );
        let mut servers = [(); 3].map(|()| {
            let mut server = Self::stopped(&["-server", "-bootstrap-expect=3", "-hcl", &acl]);
            server.token = Some(token.to_owned());
            server
        });
        let all = servers.each_ref().map(|server| server.serf);
        for server in &mut servers {
            server.arguments.extend(all.iter().map(|serf| format!("-retry-join=127.0.0.1:{serf}")));
            server.arguments.push("-retry-interval=1s".to_owned());
            server.start();
        }
        servers.iter().for_each(Self::wait_for_leader);
        servers
    }

    fn stopped(arguments: &[&str]) -> Self {
        let name = unique("consul");
        let base = env::temp_dir().join(&name);
        fs::create_dir_all(&base).expect("a temporary directory");
        let [http, serf, server] = free_ports();
        let own = [
            "-bind=127.0.0.1".to_owned(),
            "-client=127.0.0.1".to_owned(),
            format!("-node={name}"),
            format!("-data-dir={}", base.display()),
            format!("-http-port={http}"),
            format!("-server-port={server}"),
            format!("-serf-lan-port={serf}"),
            "-serf-wan-port=-1".to_owned(),
            "-grpc-port=-1".to_owned(),
            "-dns-port=-1".to_owned(),
        ];
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).chain(own).collect();
        Self { http, serf, base, arguments, token: None, shell: None }
    }

    /// Starts it, again after a [`kill9`](Self::kill9); a leader may take a while.
    pub fn start(&mut self) {
        let program = env::var_os("KINOKO_TEST_CONSUL").expect("KINOKO_TEST_CONSUL names a program");
        // The shell ends it when its own standard input ends, which it does when this process is killed, too.
        let shell = Command::new("sh")
            .args(["-c", r#""$@" </dev/null >"$0/out" 2>&1 & read -r _; kill -9 $!; wait"#])
            .arg(&self.base)
            .arg(program)
            .arg("agent")
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .spawn();
        self.shell = Some(shell.expect("a shell"));
    }

    /// Ends it at once.
    pub fn kill9(&mut self) {
        if let Some(mut shell) = self.shell.take() {
            drop(shell.stdin.take());
            let _ = shell.wait();
        }
    }

    /// Waits until it knows who leads.
    ///
    /// # Panics
    ///
    /// When it never does.
    pub fn wait_for_leader(&self) {
        let started = Instant::now();
        // With access rules it answers before it knows who may ask.
        while self.leader().is_none() || self.get("/v1/agent/self").is_none() {
            assert!(started.elapsed() < BOOT_LIMIT, "Consul finds no leader: see {:?}", self.base.join("out"));
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Its address, for settings.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// Who leads, as far as it knows.
    pub fn leader(&self) -> Option<String> {
        self.get("/v1/status/leader")?.as_str().filter(|leader| !leader.is_empty()).map(str::to_owned)
    }

    /// Whether it leads itself.
    pub fn leads(&self) -> bool {
        let leads =
            self.get("/v1/agent/self").and_then(|own| own["Stats"]["consul"]["leader"].as_str().map(|it| it == "true"));
        leads == Some(true)
    }

    /// What it knows of the instances of a service, well or not.
    pub fn health(&self, service: &str) -> Vec<Value> {
        let found = self.get(&format!("/v1/health/service/{service}"));
        found.and_then(|found| found.as_array().cloned()).unwrap_or_default()
    }

    /// What it answers; `None`: nothing, or an error.
    pub fn get(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.http)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        let token = self.token.as_ref().map_or_else(String::new, |token| format!("X-Consul-Token: {token}\r\n"));
        write!(stream, "GET {path} HTTP/1.0\r\n{token}\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.lines().next()?.contains(" 200 ").then(|| serde_json::from_str(body).ok())?
    }
}

impl Drop for PrivateConsul {
    fn drop(&mut self) {
        self.kill9();
        let _ = fs::remove_dir_all(&self.base);
    }
}
