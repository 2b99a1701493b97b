"""Any OpenCL device that dpctl sees: a tile-parametrised GEMM, on Intel GPUs through the matrix engines."""
