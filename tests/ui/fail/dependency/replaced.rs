use kinoko::testing::TestApp;

fn main() {
    let _ = TestApp::new().replace(50);
}
