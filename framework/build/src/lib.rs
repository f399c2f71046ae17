//! For build scripts: services and messages of `.proto` files, for kinoko's gRPC.
