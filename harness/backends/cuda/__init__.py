"""NVIDIA GPUs: a Triton kernel and the vendor's library, timed on a held queue."""
