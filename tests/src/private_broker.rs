use std::{
    env, fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::unique;

/// A node takes 5 to 8 s to boot on two quiet cores.
const BOOT_LIMIT: Duration = Duration::from_secs(90);

/// A RabbitMQ node of a test's own, which it may kill, freeze and restart. Gone with its drop, or with the process.
#[derive(Debug)]
pub struct PrivateBroker {
    node: String,
    port: u16,
    dist_port: u16,
    base: PathBuf,
    watchdog: Option<Child>,
}

impl PrivateBroker {
    /// Starts a node and waits until it accepts connections.
    ///
    /// # Panics
    ///
    /// Without `KINOKO_TEST_RABBITMQ_SERVER`: tests that call this are ignored then. And when the node does not boot.
    pub fn start_new() -> Self {
        let mut broker = Self::stopped();
        broker.start();
        broker
    }

    /// A node that is not started yet, for a broker that comes later than its clients.
    pub fn stopped() -> Self {
        let name = unique("kinoko");
        let base = env::temp_dir().join(&name);
        fs::create_dir_all(&base).expect("a temporary directory");
        open_to_all(&base);
        fs::write(base.join("env.conf"), "").expect("a writable directory");
        let [port, dist_port] = free_ports();
        let broker = Self { node: format!("{name}@localhost"), port, dist_port, base, watchdog: None };
        broker.configure("", &[]);
        broker.configure_advanced("[].");
        broker
    }

    /// What its `rabbitmq.conf` holds, and its plugins, from its next start on.
    pub fn configure(&self, conf: &str, plugins: &[&str]) {
        fs::write(self.base.join("rabbitmq.conf"), conf).expect("a writable directory");
        fs::write(self.base.join("enabled_plugins"), format!("[{}].\n", plugins.join(",")))
            .expect("a writable directory");
    }

    /// What its `advanced.config` holds, in Erlang, from its next start on: settings that `rabbitmq.conf` has no name for.
    pub fn configure_advanced(&self, erlang: &str) {
        fs::write(self.base.join("advanced.config"), erlang).expect("a writable directory");
    }

    /// A directory that it reads, gone with it.
    pub fn directory(&self) -> &Path {
        &self.base
    }

    /// The host and port of its listener without TLS.
    pub fn host_port(&self) -> String {
        self.address().to_string()
    }

    /// Its address for user `guest`.
    pub fn uri(&self) -> String {
        self.uri_of("guest", "guest")
    }

    /// Its address for another user.
    pub fn uri_of(&self, user: &str, password: &str) -> String {
        format!("amqp://{user}:{password}@127.0.0.1:{}/%2F", self.port)
    }

    /// Starts the node, again after a [`kill9`](Self::kill9), and waits until it accepts connections.
    ///
    /// # Panics
    ///
    /// When it does not boot.
    pub fn start(&mut self) {
        if self.watchdog.is_none() {
            self.watchdog = Some(watchdog(&self.base));
        }
        let mut server = self.command(&server_binary());
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = server.spawn().expect("KINOKO_TEST_RABBITMQ_SERVER can be run");
        let started = Instant::now();
        while !self.accepts() {
            assert!(started.elapsed() < BOOT_LIMIT, "{} does not accept connections, see {:?}", self.node, self.base);
            thread::sleep(Duration::from_millis(50));
        }
        // Reaped in the background: it is the wrapper script, which ends with the node.
        thread::spawn(move || server.wait());
    }

    /// Ends the node at once: its peers see a reset.
    pub fn kill9(&mut self) {
        self.end("KILL");
    }

    /// Ends the node as an operator does: it closes its connections, then goes.
    pub fn stop(&mut self) {
        self.end("TERM");
    }

    fn end(&mut self, signal: &str) {
        let pid = self.pid();
        self.signal(signal);
        let started = Instant::now();
        while TcpStream::connect(self.address()).is_ok() {
            assert!(started.elapsed() < BOOT_LIMIT, "{} is still there", self.node);
            thread::sleep(Duration::from_millis(10));
        }
        // The port closes before the node is gone, and its name is taken until then.
        while Command::new("kill")
            .args(["-0", &pid])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
        {
            assert!(started.elapsed() < BOOT_LIMIT, "{} does not end", self.node);
            thread::sleep(Duration::from_millis(20));
        }
        let _ = fs::remove_file(self.pid_file());
    }

    /// Freezes the node: its peers see silence.
    pub fn sigstop(&self) {
        self.signal("STOP");
    }

    /// Ends a [`sigstop`](Self::sigstop).
    pub fn sigcont(&self) {
        self.signal("CONT");
    }

    /// Runs `rabbitmqctl` against the node, and returns what it prints.
    ///
    /// # Panics
    ///
    /// When the command fails.
    pub fn ctl(&self, arguments: &[&str]) -> String {
        let began = Instant::now();
        loop {
            let output = self
                .command(&server_binary().with_file_name("rabbitmqctl"))
                .args(arguments)
                .output()
                .expect("rabbitmqctl stands beside rabbitmq-server");
            let error = String::from_utf8_lossy(&output.stderr);
            // It accepts connections a moment before it says of itself that it runs.
            if error.contains("requires the 'rabbit' app to be running") && began.elapsed() < BOOT_LIMIT {
                continue;
            }
            assert!(output.status.success(), "rabbitmqctl {arguments:?}: {error}");
            return String::from_utf8_lossy(&output.stdout).into_owned();
        }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.base)
            // Erlang keeps its cookie there, which node and rabbitmqctl share.
            .env("HOME", &self.base)
            .env("RABBITMQ_NODENAME", &self.node)
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.dist_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", self.base.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", self.base.join("log"))
            .env("RABBITMQ_PID_FILE", self.pid_file())
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.base.join("enabled_plugins"))
            .env("RABBITMQ_CONFIG_FILE", self.base.join("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", self.base.join("advanced.config"))
            .env("RABBITMQ_CONF_ENV_FILE", self.base.join("env.conf"));
        command
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Whether it answers AMQP's first words: the port alone opens earlier.
    pub fn accepts(&self) -> bool {
        let limit = Duration::from_millis(500);
        let Ok(mut stream) = TcpStream::connect_timeout(&self.address(), limit) else { return false };
        let mut first = [0];
        stream.set_read_timeout(Some(limit)).is_ok()
            && stream.write_all(b"AMQP\x00\x00\x09\x01").is_ok()
            && stream.read_exact(&mut first).is_ok()
    }

    fn pid_file(&self) -> PathBuf {
        self.base.join("pid")
    }

    fn pid(&self) -> String {
        fs::read_to_string(self.pid_file()).expect("the node has written its pid").trim().to_owned()
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(format!("-{signal}")).arg(self.pid()).status();
        assert!(status.is_ok_and(|status| status.success()), "no signal {signal} for {}", self.node);
    }
}

impl Drop for PrivateBroker {
    fn drop(&mut self) {
        if let Some(mut watchdog) = self.watchdog.take() {
            drop(watchdog.stdin.take());
            let _ = watchdog.wait();
        }
        let _ = fs::remove_dir_all(&self.base);
    }
}

/// Kills the node when its standard input ends, which it does even when the test process is killed.
fn watchdog(base: &Path) -> Child {
    Command::new("sh")
        .args(["-c", r#"read -r _; kill -9 "$(cat "$0/pid")"; sleep 0.2; rm -rf "$0""#])
        .arg(base)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell")
}

/// The wrapper script runs the node as another user.
fn open_to_all(directory: &Path) {
    let status = Command::new("chmod").arg("777").arg(directory).status();
    assert!(status.is_ok_and(|status| status.success()), "the directory can be opened to all");
}

fn server_binary() -> PathBuf {
    env::var_os("KINOKO_TEST_RABBITMQ_SERVER").expect("KINOKO_TEST_RABBITMQ_SERVER names a server").into()
}

/// Ports that nobody listens on at the moment.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("a bound socket").port())
}
