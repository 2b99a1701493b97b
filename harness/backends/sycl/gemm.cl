// D = A B, row-major, on any OpenCL device: a work-group computes one TM x TN tile of D in steps of TK.
//
// Macros: TM, TN, TK the tile; RM, RN the outputs of one work-item (they divide TM and TN); one of F32, F16, BF16.
// Products and sums are float32 whatever the elements are: f16 is widened by vload_half, which is core OpenCL C and
// needs no fp16 arithmetic; bf16 is the upper half of a float32.

#if defined(F32)
typedef float element;
#define LOAD(p, i) ((p)[i])
#elif defined(F16)
typedef half element;
#define LOAD(p, i) vload_half((i), (p))
#elif defined(BF16)
typedef ushort element;
#define LOAD(p, i) as_float((uint)(p)[i] << 16)
#endif

#define WM (TM / RM)
#define WN (TN / RN)
#define ITEMS (WM * WN)

__attribute__((reqd_work_group_size(WN, WM, 1)))
kernel void gemm(global const element *restrict a, global const element *restrict b, global float *restrict d,
                 int M, int N, int K)
{
    // A is kept by columns, so that the work-items of one row read one address. The odd pitch keeps the
    // transposing stores off one bank.
    local float a_tile[TK][TM + 1];
    local float b_tile[TK][TN];

    const int x = (int)get_local_id(0);
    const int y = (int)get_local_id(1);
    const int item = y * WN + x;
    const int row = (int)get_group_id(1) * TM;
    const int column = (int)get_group_id(0) * TN;

    float sum[RM][RN];
    #pragma unroll
    for (int i = 0; i < RM; ++i) {
        #pragma unroll
        for (int j = 0; j < RN; ++j)
            sum[i][j] = 0.0f;
    }

    for (int step = 0; step < K; step += TK) {
        // Elements past an edge are zeros: they add nothing, and their outputs are not stored.
        for (int e = item; e < TM * TK; e += ITEMS) {
            const int m = e / TK, k = e % TK;
            const bool inside = row + m < M && step + k < K;
            a_tile[k][m] = inside ? LOAD(a, (size_t)(row + m) * K + step + k) : 0.0f;
        }
        for (int e = item; e < TK * TN; e += ITEMS) {
            const int k = e / TN, n = e % TN;
            const bool inside = step + k < K && column + n < N;
            b_tile[k][n] = inside ? LOAD(b, (size_t)(step + k) * N + column + n) : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int k = 0; k < TK; ++k) {
            float left[RM], right[RN];
            #pragma unroll
            for (int i = 0; i < RM; ++i)
                left[i] = a_tile[k][y + i * WM];
            // Neighbouring work-items take neighbouring columns.
            #pragma unroll
            for (int j = 0; j < RN; ++j)
                right[j] = b_tile[k][x + j * WN];
            #pragma unroll
            for (int i = 0; i < RM; ++i) {
                #pragma unroll
                for (int j = 0; j < RN; ++j)
                    sum[i][j] = fma(left[i], right[j], sum[i][j]);
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    #pragma unroll
    for (int i = 0; i < RM; ++i) {
        const int m = row + y + i * WM;
        #pragma unroll
        for (int j = 0; j < RN; ++j) {
            const int n = column + x + j * WN;
            if (m < M && n < N)
                d[(size_t)m * N + n] = sum[i][j];
        }
    }
}
