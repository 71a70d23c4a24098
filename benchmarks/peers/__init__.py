"""One adapter a package: how each workload is done in that package's native layout."""
