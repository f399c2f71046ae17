//! Nameko's wire, with real Nameko on the other side. `docs/reference/nameko.md` lists what is checked here.

mod calls_in;
mod calls_out;
mod event_hops;
mod event_malformed;
mod event_sharing;
mod event_values;
mod events_in;
mod events_out;
mod hops;
mod instance;
mod malformed;
mod migration;
mod queues;
mod tokens;
mod values;

/// Makes a test of each function, for each version of Nameko: `name::nameko_2_14_1` and `name::nameko_3_0_0rc11`.
///
/// One at a time within a file, as all serve the same names.
macro_rules! with_both_namekos {
    ($($test:ident)*) => {
        static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        $(
            mod $test {
                use kinoko_tests::Python;

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                #[cfg_attr(not(python), ignore = "needs Python with Nameko: run ./test.sh")]
                async fn nameko_2_14_1() {
                    let _turn = super::TURN.lock().await;
                    super::$test(Python::nameko2()).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                #[cfg_attr(not(python), ignore = "needs Python with Nameko: run ./test.sh")]
                async fn nameko_3_0_0rc11() {
                    let _turn = super::TURN.lock().await;
                    super::$test(Python::nameko3()).await;
                }
            }
        )*
    };
}
use with_both_namekos;
