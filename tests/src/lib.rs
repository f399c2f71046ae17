//! kinoko's own tests and benchmark.
