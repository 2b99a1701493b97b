// Lists what is registered: name, tile, sub-groups.
#include <iostream>

#include "benchmarks_sycl.hpp"

int main() {
  register_gemm_benchmarks();
  for (auto const& [name, describe] : registry()) {
    std::cout << name << " " << describe() << "\n";
  }
}
