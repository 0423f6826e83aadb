//! What the program is and what it uses, by Prometheus's own names: `process_*`. Read from /proc when `/metrics` is asked for; what is
//! not there is left out.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Clock ticks per second in /proc/self/stat: 100 on every Linux, whatever the kernel's own tick is.
const TICKS_PER_S: f64 = 100.0;
/// The size of a page in /proc/self/statm is that of the machine.
fn page_bytes() -> u64 {
    rustix::param::page_size() as u64
}

/// Reads /proc/self.
#[derive(Debug)]
pub struct ProcessMetrics;

impl Collector for ProcessMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(process) = Process::read() else { return Ok(()) };
        let help = "CPU time of the process";
        let cpu = encoder.encode_descriptor("process_cpu_seconds", help, None, MetricType::Counter)?;
        ConstCounter::new(process.cpu_s).encode(cpu)?;
        for (name, help, value) in [
            ("process_start_time_seconds", "When the process started, seconds since 1970", process.started_s),
            ("process_resident_memory_bytes", "Memory that the process holds", process.resident_bytes),
            ("process_virtual_memory_bytes", "Address space of the process", process.virtual_bytes),
            ("process_threads", "Threads of the process", process.threads),
            ("process_open_fds", "Open file descriptors", process.open_files),
            ("process_max_fds", "File descriptors that may be open", process.open_files_max),
        ] {
            ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Process {
    cpu_s: f64,
    started_s: f64,
    resident_bytes: f64,
    virtual_bytes: f64,
    threads: f64,
    open_files: f64,
    open_files_max: f64,
}

impl Process {
    fn read() -> Option<Self> {
        let text = |path: &str| std::fs::read_to_string(path).ok();
        // The name of the program, in parentheses, may hold anything.
        let stat = text("/proc/self/stat")?;
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let number = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
        let statm = text("/proc/self/statm")?;
        let mut pages = statm.split(' ').filter_map(|pages| pages.parse::<u64>().ok());
        let mut bytes = || Some((pages.next()? * page_bytes()) as f64);
        let (virtual_bytes, resident_bytes) = (bytes()?, bytes()?);
        let booted = text("/proc/stat")?;
        let booted = booted.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse::<f64>().ok()?;
        let limits = text("/proc/self/limits")?;
        let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        Some(Self {
            // proc(5): utime, stime, num_threads, starttime; the state is the first field here, and the third there.
            cpu_s: (number(11)? + number(12)?) / TICKS_PER_S,
            threads: number(17)?,
            started_s: booted + number(19)? / TICKS_PER_S,
            resident_bytes,
            virtual_bytes,
            open_files: std::fs::read_dir("/proc/self/fd").ok()?.count() as f64,
            open_files_max: files.split_whitespace().next()?.parse().unwrap_or(f64::INFINITY),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_read() {
        let process = Process::read().unwrap();
        assert!(process.resident_bytes > 1e6 && process.virtual_bytes >= process.resident_bytes, "{process:?}");
        assert!(process.threads >= 1.0 && process.open_files >= 3.0 && process.open_files_max >= process.open_files);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!(process.started_s > now - 86_400.0 && process.started_s < now + 60.0, "{process:?}");
    }
}
