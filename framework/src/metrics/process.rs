//! The process, as every Prometheus client tells of it.

use std::time::{Duration, SystemTime};

/// What the system says of this process. What it does not say is left out.
#[derive(Debug, Default)]
pub(super) struct Process {
    pub(super) cpu_seconds: Option<f64>,
    pub(super) resident_bytes: Option<u64>,
    pub(super) virtual_bytes: Option<u64>,
    pub(super) threads: Option<u64>,
    pub(super) open_files: Option<u64>,
    pub(super) most_files: Option<u64>,
}

impl Process {
    #[cfg(target_os = "linux")]
    pub(super) fn read() -> Self {
        let Ok(own) = procfs::process::Process::myself() else { return Self::default() };
        let stat = own.stat().ok();
        let ticks = procfs::ticks_per_second();
        let limits = own.limits().ok();
        Self {
            cpu_seconds: stat.as_ref().map(|stat| (stat.utime + stat.stime) as f64 / ticks as f64),
            resident_bytes: stat.as_ref().map(|stat| stat.rss * procfs::page_size()),
            virtual_bytes: stat.as_ref().map(|stat| stat.vsize),
            threads: stat.as_ref().and_then(|stat| u64::try_from(stat.num_threads).ok()),
            open_files: own.fd_count().ok().and_then(|count| u64::try_from(count).ok()),
            most_files: limits.and_then(|limits| match limits.max_open_files.soft_limit {
                procfs::process::LimitValue::Value(most) => Some(most),
                procfs::process::LimitValue::Unlimited => None,
            }),
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn read() -> Self {
        Self::default()
    }
}

/// Since the Unix epoch.
pub(super) fn seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}
