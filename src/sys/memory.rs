//! Giving memory back to the kernel.

/// Gives back what the heap does not use: after reading a configuration, the text and its tree.
///
/// musl returns free pages by itself; glibc wants to be asked.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim has no preconditions.
    unsafe {
        libc::malloc_trim(0);
    }
}
