fn main() -> std::process::ExitCode {
    panorec::local::main()
}
