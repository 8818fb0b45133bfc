//! Reads the little-endian and big-endian, micro- and nanosecond forms of pcap files.

/// The frames of a capture, each with its time in ns.
pub fn frames(file: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let magic: [u8; 4] = file[..4]
        .try_into()
        .expect("a pcap file has a magic number");
    let (big, unit) = match magic {
        [0xd4, 0xc3, 0xb2, 0xa1] => (false, 1_000),
        [0x4d, 0x3c, 0xb2, 0xa1] => (false, 1),
        [0xa1, 0xb2, 0xc3, 0xd4] => (true, 1_000),
        [0xa1, 0xb2, 0x3c, 0x4d] => (true, 1),
        _ => panic!("not a pcap file: {magic:02x?}"),
    };
    let word = |at: usize| {
        let bytes: [u8; 4] = file[at..at + 4].try_into().expect("a word has four bytes");
        if big {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    };
    assert_eq!(word(20), 1, "the link type is Ethernet");
    let mut frames = Vec::new();
    let mut at = 24;
    while at < file.len() {
        let (captured, original) = (word(at + 8) as usize, word(at + 12) as usize);
        assert_eq!(captured, original, "the capture cut no frame");
        let time = u64::from(word(at)) * 1_000_000_000 + u64::from(word(at + 4)) * unit;
        frames.push((time, file[at + 16..at + 16 + captured].to_vec()));
        at += 16 + captured;
    }
    frames
}
