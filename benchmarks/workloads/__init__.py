"""The workloads, one file a kind."""
