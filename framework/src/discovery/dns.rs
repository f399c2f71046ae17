//! The addresses of a name, as DNS has them.

use std::{io, net::SocketAddr, time::Duration};

use async_trait::async_trait;
use tokio::time::sleep;

use super::{Discovery, Found, Instance, Target};

/// Asks the system again and again, which knows nothing of how long an answer holds.
#[derive(Debug)]
pub(super) struct Dns {
    /// `host:port`.
    pub(super) name: String,
    pub(super) tls: bool,
    pub(super) refresh: Duration,
}

#[async_trait]
impl Discovery for Dns {
    async fn follow(&self, _: &Target, found: Found) {
        loop {
            let asked = tokio::net::lookup_host(&self.name).await.map(Iterator::collect);
            self.tell(asked, &found);
            sleep(self.refresh).await;
        }
    }
}

impl Dns {
    fn tell(&self, asked: io::Result<Vec<SocketAddr>>, found: &Found) {
        match asked {
            Ok(mut addresses) => {
                // Servers turn the order with each answer, which would be a change each time.
                addresses.sort_unstable();
                addresses.dedup();
                let instance = |address: SocketAddr| Instance { tls: self.tls, ..Instance::new(address.to_string()) };
                found.set(addresses.into_iter().map(instance));
            }
            Err(error) => found.stale(format!("`{}` is not resolved: {error}", self.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::discovery::{Instances, Protocol};

    /// What DNS answers, one after the other.
    struct Answers(Mutex<Vec<io::Result<Vec<SocketAddr>>>>);

    #[async_trait]
    impl Discovery for Answers {
        async fn follow(&self, _: &Target, found: Found) {
            let dns = Dns { name: "inventory.internal:80".into(), tls: false, refresh: Duration::from_secs(5) };
            loop {
                let Some(answer) = self.0.lock().unwrap().pop() else { return };
                dns.tell(answer, &found);
                sleep(dns.refresh).await;
            }
        }
    }

    fn addresses(texts: &[&str]) -> io::Result<Vec<SocketAddr>> {
        Ok(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_answer_is_kept_while_names_are_not_resolved() {
        let failure = Err(io::Error::other("no server"));
        let answers = vec![addresses(&["10.0.0.3:80"]), failure, addresses(&["10.0.0.2:80", "10.0.0.1:80"])];
        let instances = Instances::new(Answers(Mutex::new(answers)), Target::new("inventory", Protocol::Http));
        assert_eq!(instances.pick().await.unwrap().address, "10.0.0.1:80");
        sleep(Duration::from_secs(6)).await;
        assert_eq!(instances.stale().unwrap(), "`inventory.internal:80` is not resolved: no server");
        assert_eq!(instances.list().len(), 2);
        sleep(Duration::from_secs(5)).await;
        assert_eq!(instances.stale(), None);
        assert_eq!(instances.pick().await.unwrap().address, "10.0.0.3:80");
    }
}
