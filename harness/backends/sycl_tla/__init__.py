"""Intel GPUs through the benchmark programs that sycl-tla builds."""
