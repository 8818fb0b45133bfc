//! The command line of vipd.

fn main() -> vipd::cli::Exit {
    vipd::cli::main()
}
