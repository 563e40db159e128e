"""The data plane's processes: sockets, signals and threads, without Django."""
