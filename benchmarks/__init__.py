"""Speed, memory and accuracy of Schur beside its peers: `python -m benchmarks`.

The rules that every workload obeys are in `docs/benchmarks.md`.
"""
