"""The command line: `aios`; every command has --help, and exit codes 0 (fine), 1 (failed), 2 (wrong use)."""
