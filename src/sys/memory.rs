//! Giving memory back to the kernel, which musl does by itself and glibc wants to be asked for.

/// From this size on, an allocation is a mapping of its own with glibc: its pages come when they
/// are written to and go when it is freed.
#[cfg(target_env = "gnu")]
const MAPPING_LEN: libc::c_int = 8 * 1024;

/// Has large allocations kept apart. To be called before there are any.
pub fn keep_large_apart() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt changes a parameter of the allocator, in the one thread there is so far.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPING_LEN);
    }
}

/// Gives back what the heap does not use: after reading a configuration, the text and its tree.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim has no preconditions.
    unsafe {
        libc::malloc_trim(0);
    }
}
