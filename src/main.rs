fn main() -> std::process::ExitCode {
    panorec::cli::main()
}
