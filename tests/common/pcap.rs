//! Reads a capture file: what tcpdump writes, in either byte order, microseconds or nanoseconds.

/// The frames of `tests/golden/<name>`, in the order of the capture.
pub(crate) fn golden(name: &str) -> Vec<Vec<u8>> {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    frames(&bytes)
}

/// The frames of a capture.
pub(crate) fn frames(capture: &[u8]) -> Vec<Vec<u8>> {
    let word = |at: usize| -> [u8; 4] { capture[at..at + 4].try_into().expect("four bytes") };
    let little = match u32::from_le_bytes(word(0)) {
        0xa1b2_c3d4 | 0xa1b2_3c4d => true,
        0xd4c3_b2a1 | 0x4d3c_b2a1 => false,
        magic => panic!("not a pcap file: {magic:#x}"),
    };
    let length = |at: usize| -> usize {
        let word = word(at);
        let value = if little {
            u32::from_le_bytes(word)
        } else {
            u32::from_be_bytes(word)
        };
        value as usize
    };
    const FILE_HEADER: usize = 24;
    const RECORD_HEADER: usize = 16;
    let mut frames = Vec::new();
    let mut at = FILE_HEADER;
    while at < capture.len() {
        let len = length(at + 8);
        frames.push(capture[at + RECORD_HEADER..at + RECORD_HEADER + len].to_vec());
        at += RECORD_HEADER + len;
    }
    frames
}
