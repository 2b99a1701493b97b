// The names of cute, cutlass and sycl-tla's benchmarks that a registration uses, without anything behind them.
#pragma once

#include <map>
#include <string>

namespace cute {
template <int N>
struct Int {
  static constexpr int value = N;
};
template <class... T>
struct Shape {};
template <class... T>
struct Stride {};
template <class ShapeT, class StrideT = void>
struct Layout {};
struct bfloat16_t {};

template <int Rows, class Accumulator, class Operand>
struct XE_DPAS_TT {
  static_assert(Rows >= 1 && Rows <= 8);
};
template <class Operation>
struct MMA_Atom;
template <>
struct MMA_Atom<XE_DPAS_TT<8, float, bfloat16_t>> {
  static constexpr int m = 8, n = 16, k = 16;
};

template <class Atom, class Tile, class SubGroups>
struct TiledMMAHelper;
template <class Atom, int M, int N, int K, int SgM, int SgN, int RowStride>
struct TiledMMAHelper<Atom, Layout<Shape<Int<M>, Int<N>, Int<K>>>,
                      Layout<Shape<Int<SgM>, Int<SgN>, Int<1>>, Stride<Int<RowStride>, Int<1>, Int<0>>>> {
  static_assert(RowStride == SgN, "sub-groups are numbered along N first");
  static_assert(M % (SgM * Atom::m) == 0 && N % (SgN * Atom::n) == 0 && K % Atom::k == 0);
  struct TiledMMA {
    static constexpr int sub_groups_m = SgM, sub_groups_n = SgN;
  };
};
}  // namespace cute

using namespace cute;

namespace cutlass {
using cute::bfloat16_t;
namespace arch {
struct IntelXe {};
}  // namespace arch
namespace layout {
struct RowMajor {};
}  // namespace layout

namespace gemm::device {
enum class Scheduler { Gemm, GemmSplitK, GemmStreamK };

template <class Arch, class A, class LayoutA, class B, class LayoutB, class C, class LayoutC, class Accumulator,
          class Tile, Scheduler, class TiledMma = void, class CopyA = void, class CopyB = void>
struct GemmConfiguration;
template <int M, int N, int K, class TiledMma>
struct GemmConfiguration<arch::IntelXe, bfloat16_t, layout::RowMajor, bfloat16_t, layout::RowMajor, float,
                         layout::RowMajor, float, Shape<Int<M>, Int<N>, Int<K>>, Scheduler::Gemm, TiledMma, void,
                         void> {
  static std::string describe() {
    return std::to_string(M) + "x" + std::to_string(N) + "x" + std::to_string(K) + " " +
           std::to_string(TiledMma::sub_groups_m) + "x" + std::to_string(TiledMma::sub_groups_n);
  }
};
}  // namespace gemm::device
}  // namespace cutlass

inline std::map<std::string, std::string (*)()>& registry() {
  static std::map<std::string, std::string (*)()> benchmarks;
  return benchmarks;
}

#define CUTLASS_CREATE_GEMM_BENCHMARK(F) \
  static std::string F##_func() { return F::describe(); }
#define CUTLASS_BENCHMARK(F) registry().emplace(#F, &F##_func)
