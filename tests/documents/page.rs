use crate::{library::Library, output, python, said, script, served};

/// The browser finds no host but this program's: see the script.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(browser), ignore = "needs Python with playwright, and Chromium: run ./test.sh")]
async fn the_docs_page_is_read_and_sends_in_a_browser_that_is_cut_off() {
    let (app, address) = served::<Library>("development").await;
    let artifacts = artifacts();
    std::fs::create_dir_all(&artifacts).unwrap();
    let mut command = python();
    command.arg(script("docs_page.py")).arg(&address).arg(artifacts.join("docs-page.png"));
    let output = output(command).await;
    assert!(output.status.success(), "{}", said(&output));
    app.stop().await.unwrap();
}

/// Beside the folder of the profile, where this program was built.
fn artifacts() -> std::path::PathBuf {
    let program = std::env::current_exe().unwrap();
    program.ancestors().nth(3).expect("target/debug/deps/documents").join("artifacts")
}
