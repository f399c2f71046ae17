//! Several brokers in one URL.

use std::time::Duration;

use kinoko::{
    ErrorKind,
    transport::{ConnectionState, TransportOptions, connect},
};
use kinoko_tests::{PrivateBroker, TlsServer, free_ports, soon};

use crate::support::{Echo, open, reach};
