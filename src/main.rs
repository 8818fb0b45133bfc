//! The command line of vipd.

fn main() {}
