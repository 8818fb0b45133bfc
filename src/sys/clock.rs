//! The two clocks: the monotonic one that timers run on, and the wall clock.

use nix::time::{ClockId, clock_gettime};

use crate::time::Instant;

// With 32 bits the wall clock ends in 2038, and the standard library panics (seen on a router that
// said 2040). musl has had 64 bits on every machine since 1.2; the libc crate takes them when told.
#[cfg(target_env = "musl")]
const _: () = assert!(
    size_of::<libc::time_t>() == 8,
    "time_t has 32 bits: build with RUST_LIBC_UNSTABLE_MUSL_V1_2_3=1 and a clean target directory"
);

/// Reads CLOCK_MONOTONIC, in µs since the machine's start. To be called once a wakeup.
pub fn now() -> Instant {
    let time = read(ClockId::CLOCK_MONOTONIC);
    Instant::from_micros(time.as_secs() * 1_000_000 + u64::from(time.subsec_micros()))
}

/// Reads the wall clock: seconds since 1970, in 64 bits on every machine. A router without a
/// battery starts near 0 and jumps when NTP has answered.
pub fn wall_seconds() -> i64 {
    read(ClockId::CLOCK_REALTIME).as_secs().cast_signed()
}

/// Cannot fail: both clocks exist on every Linux, and nix hands in a valid address.
fn read(clock: ClockId) -> core::time::Duration {
    clock_gettime(clock).map_or(core::time::Duration::ZERO, Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_now() {
        let before = now();
        assert!(before > Instant::ZERO);
        assert!(now() >= before);
        let secs = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        assert!(wall_seconds().abs_diff(secs.cast_signed()) <= 1);
    }
}
