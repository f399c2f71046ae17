#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kinoko_fuzz::tagged_json(data));
