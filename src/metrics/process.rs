//! Metrics of the process, with the names that every Prometheus client library uses.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

pub(super) fn register(registry: &mut Registry) {
    #[cfg(target_os = "linux")]
    registry.register_collector(Box::new(ProcessCollector));
    registry.register_collector(Box::new(RuntimeCollector));
}

fn gauge(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: u64) -> fmt::Result {
    let value = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    value.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

/// Reads `/proc/self`.
#[cfg(target_os = "linux")]
#[derive(Debug)]
struct ProcessCollector;

#[cfg(target_os = "linux")]
impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        // Without /proc, the metrics of the process are missing, and the others are still there.
        let Ok(process) = procfs::process::Process::myself() else { return Ok(()) };
        if let Ok(stat) = process.stat() {
            #[expect(clippy::cast_precision_loss, reason = "exact for the first 285 million years of CPU time")]
            let cpu_seconds = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
            let cpu = encoder.encode_descriptor(
                "process_cpu_seconds",
                "User and system CPU time of the process",
                None,
                MetricType::Counter,
            )?;
            ConstCounter::new(cpu_seconds).encode(cpu)?;
            let resident = stat.rss.saturating_mul(procfs::page_size());
            gauge(&mut encoder, "process_resident_memory_bytes", "Resident memory of the process", resident)?;
            gauge(&mut encoder, "process_virtual_memory_bytes", "Virtual memory of the process", stat.vsize)?;
            let threads = u64::try_from(stat.num_threads).unwrap_or_default();
            gauge(&mut encoder, "process_threads", "Threads of the process", threads)?;
            if let Ok(boot) = procfs::boot_time_secs() {
                let started = boot.saturating_add(stat.starttime / procfs::ticks_per_second());
                let help = "Start time of the process, in seconds since 1970";
                gauge(&mut encoder, "process_start_time_seconds", help, started)?;
            }
        }
        if let Ok(open) = process.fd_count() {
            gauge(&mut encoder, "process_open_fds", "Open file descriptors of the process", open as u64)?;
        }
        if let Ok(limits) = process.limits()
            && let procfs::process::LimitValue::Value(max) = limits.max_open_files.soft_limit
        {
            gauge(&mut encoder, "process_max_fds", "Maximum number of open file descriptors of the process", max)?;
        }
        Ok(())
    }
}

/// Reads the metrics of the Tokio runtime that the scrape runs on.
#[derive(Debug)]
struct RuntimeCollector;

impl Collector for RuntimeCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return Ok(()) };
        let metrics = runtime.metrics();
        gauge(&mut encoder, "tokio_workers", "Worker threads of the runtime", metrics.num_workers() as u64)?;
        gauge(&mut encoder, "tokio_tasks_alive", "Tasks of the runtime", metrics.num_alive_tasks() as u64)?;
        let queued = metrics.global_queue_depth() as u64;
        gauge(&mut encoder, "tokio_tasks_queued", "Tasks in the global queue of the runtime", queued)
    }
}
