 #pragma once

#include "gemm_configuration_sycl.hpp"

static void register_gemm_benchmarks() {
  // Further benchmarks stand here.
}
