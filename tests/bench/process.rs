//! Memory and processor time of a process, as the system reports them under `/proc`.

use std::{fs, time::Duration};

use anyhow::Context as _;

/// Returns the peak of the resident memory of a process, in KiB.
pub(crate) fn peak_memory(process: u32) -> anyhow::Result<u32> {
    memory(process, "VmHWM")
}

/// Returns the resident memory of a process, in KiB.
pub(crate) fn resident_memory(process: u32) -> anyhow::Result<u32> {
    memory(process, "VmRSS")
}

fn memory(process: u32, name: &str) -> anyhow::Result<u32> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| path.clone())?;
    parse_memory(&status, name).with_context(|| format!("{path} has no {name}"))
}

/// Returns the processor time of the living threads of a process.
pub(crate) fn processor_time(process: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{process}/task");
    let mut total = Duration::ZERO;
    for thread in fs::read_dir(&path).with_context(|| path.clone())? {
        // A thread may have ended since it was listed.
        let Ok(schedule) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        total += parse_run_time(&schedule).with_context(|| format!("{path} has another form"))?;
    }
    Ok(total)
}

/// Reads a number of KiB, such as `VmHWM`, from the text of `/proc/PID/status`.
pub(crate) fn parse_memory(status: &str, name: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Reads the time on a processor from the text of `schedstat`, whose first number is in nanoseconds.
pub(crate) fn parse_run_time(schedule: &str) -> Option<Duration> {
    Some(Duration::from_nanos(schedule.split_whitespace().next()?.parse().ok()?))
}
