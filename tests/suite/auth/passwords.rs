//! Passwords: hashed as OWASP asks, bounded, and off the threads of the runtime.

use std::time::{Duration, Instant};

use kinoko::{auth::Password, prelude::*, testing::TestApp};

#[derive(Dependencies)]
struct Door {
    passwords: Password,
}

#[service(name = "password_door")]
impl Door {
    #[rpc(sensitive(password))]
    async fn hash(&self, password: String) -> kinoko::Result<String> {
        self.passwords.hash(&password).await
    }

    #[rpc(sensitive(password, hash))]
    async fn verify(&self, password: String, hash: Option<String>) -> kinoko::Result<(bool, bool)> {
        let outdated = hash.as_deref().is_some_and(|hash| self.passwords.is_outdated(hash));
        Ok((self.passwords.verify(&password, hash.as_deref()).await?, outdated))
    }
}

const CHEAP: &str = "password: {memory_kib: 64, iterations: 1, concurrency: 2}";

#[tokio::test]
async fn a_hash_says_how_it_was_made_and_only_its_password_fits() {
    let app = TestApp::new().service::<Door>().yaml(CHEAP).start().await.unwrap();
    let door = app.client::<DoorClient>();
    let hash = door.hash("correct horse".into()).await.unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
    assert_ne!(hash, door.hash("correct horse".into()).await.unwrap(), "each has a salt of its own");
    let verify = |password: &str, hash: &str| door.verify(password.into(), Some(hash.into()));
    assert_eq!(verify("correct horse", &hash).await.unwrap(), (true, false));
    for wrong in ["", "correct horse ", "Correct horse", "correct horse\0"] {
        assert!(!verify(wrong, &hash).await.unwrap().0, "{wrong:?}");
    }
    assert_eq!(door.verify("correct horse".into(), None).await.unwrap(), (false, false));
    // What nobody types is neither hashed nor taken for the password of an empty one's hash.
    let long = "x".repeat(1025);
    assert!(door.hash(long.clone()).await.is_err());
    let empty = door.hash(String::new()).await.unwrap();
    assert!(!verify(&long, &empty).await.unwrap().0);
    assert!(verify("", &empty).await.unwrap().0);
    for broken in ["", "secret", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv"] {
        assert!(verify("x", broken).await.is_err(), "{broken}");
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn weaker_hashes_are_told_and_settings_that_argon2_does_not_take_do_not_start() {
    let (strong, weak) =
        (Password::default(), "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$WVbY3xC7yCkz1RMkVqnBVVLdzKTwIR0F2rD0ZzZ7Jmk");
    assert!(strong.is_outdated(weak));
    assert!(strong.is_outdated("nothing"));
    let hash = strong.hash("x").await.unwrap();
    assert!(!strong.is_outdated(&hash));
    let error = TestApp::new().service::<Door>().yaml("password: {memory_kib: 1}").start().await.unwrap_err();
    assert!(error.to_string().contains("password.memory_kib"), "{error}");
}

#[tokio::test(flavor = "current_thread")]
async fn the_runtime_goes_on_meanwhile_and_nobody_of_that_name_takes_as_long() {
    let passwords = Password::default();
    let hash = passwords.hash("x").await.unwrap();
    let mut ticks = 0;
    let began = Instant::now();
    {
        let mut verifying = std::pin::pin!(passwords.verify("x", Some(&hash)));
        loop {
            tokio::select! {
                verified = &mut verifying => break assert!(verified.unwrap()),
                () = tokio::time::sleep(Duration::from_millis(1)) => ticks += 1,
            }
        }
    }
    let known = began.elapsed();
    assert!(ticks >= 2, "{ticks} in {known:?}");
    let began = Instant::now();
    assert!(!passwords.verify("x", None).await.unwrap());
    let unknown = began.elapsed();
    assert!(unknown > known / 8, "{unknown:?} of nobody, {known:?} of somebody");
}
