"""What several tests share: free ports, child processes, a private PostgreSQL."""
