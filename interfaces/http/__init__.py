"""The HTTP interface: one file per context, thin routes that turn requests into commands and queries."""
