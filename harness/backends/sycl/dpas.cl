// D = A B, row-major, on the matrix engines of Intel GPUs: 16-bit elements, sums and D in float32.
//
// Built on the OpenCL extensions cl_intel_subgroup_matrix_multiply_accumulate (the multiply) and, where BLOCK_IO is 1,
// cl_intel_subgroup_2d_block_io (loads and stores). Layouts are those of the extensions' texts in the Khronos registry.
// A sub-group of SG work-items (16, or 8 on devices whose smallest sub-group that is) multiplies atoms of
// 8 x SG x 16. What lane l holds of an atom:
//   A  component i: row i. SG = 16: column l. SG = 8: columns 2l (low half) and 2l + 1 (high half).
//   B  component j: column l, rows 2j (low half) and 2j + 1 (high half).
//   D  component i: row i, column l.
//
// Macros: TM, TN, TK the tile of a work-group; SM, SN the block of one of its sub-groups; SG; BLOCK_IO; F16 or BF16.
// Sub-groups wholly past an edge of D work like the others: padding costs what it costs in any tiled kernel.

#define ATOM_M 8
#define ATOM_K 16
#define ATOMS_M (SM / ATOM_M)
#define ATOMS_N (SN / SG)
#define GROUPS_N (TN / SN)
#define SUB_GROUPS ((TM / SM) * GROUPS_N)

#if defined(BF16)
#define MULTIPLY_ADD intel_sub_group_bf16_bf16_matrix_mad_k16
#elif defined(F16)
#define MULTIPLY_ADD intel_sub_group_f16_f16_matrix_mad_k16
#endif

#if SG == 16
typedef short8 a_atom;
typedef ushort a_part;
#define AS_A_ATOM(parts) as_short8(vload8(0, (parts)))
#else
typedef int8 a_atom;
typedef uint a_part;
#define AS_A_ATOM(parts) as_int8(vload8(0, (parts)))
#endif
#define AS_B_ATOM(parts) as_int8(vload8(0, (parts)))

#define JOIN_(a, b, c) a##b##c
#define JOIN(a, b, c) JOIN_(a, b, c)

#if BLOCK_IO
// The hardware masks the edges: elements outside the matrix read as zero and are not written.

#define READ_A JOIN(intel_sub_group_2d_block_read_16b_, SM, r16x1c)
#if ATOMS_N > 1
#define B_ATOMS 2
#define READ_B intel_sub_group_2d_block_read_transform_16b_16r16x2c
#define PREFETCH_B intel_sub_group_2d_block_prefetch_16b_16r16x2c
#else
#define B_ATOMS 1
#define READ_B intel_sub_group_2d_block_read_transform_16b_16r16x1c
#define PREFETCH_B intel_sub_group_2d_block_prefetch_16b_16r16x1c
#endif
#define PREFETCH_A JOIN(intel_sub_group_2d_block_prefetch_16b_, SM, r16x1c)

#define STEPS_AHEAD 2

static void load_a(global const ushort *a, int M, int K, int row, int k, a_part *parts)
{
    READ_A((global void *)a, 2 * K, M, 2 * K, (int2)(k, row), parts);
}

static void load_b(global const ushort *b, int K, int N, int k, int column, uint *parts)
{
    #pragma unroll
    for (int j = 0; j < ATOMS_N; j += B_ATOMS)
        READ_B((global void *)b, 2 * N, K, 2 * N, (int2)(column + j * SG, k), parts + 8 * j);
}

static void fetch_ahead(global const ushort *a, global const ushort *b, int M, int N, int K, int row, int column,
                        int step)
{
    #pragma unroll
    for (int k = 0; k < TK; k += ATOM_K) {
        PREFETCH_A((global void *)a, 2 * K, M, 2 * K, (int2)(step + k, row));
        #pragma unroll
        for (int j = 0; j < ATOMS_N; j += B_ATOMS)
            PREFETCH_B((global void *)b, 2 * N, K, 2 * N, (int2)(column + j * SG, step + k));
    }
}

static void store_d(global float *d, int M, int N, int row, int column, float8 sum)
{
    uint parts[ATOM_M];
    vstore8(as_uint8(sum), 0, parts);
    intel_sub_group_2d_block_write_32b_8r16x1c((global void *)d, 4 * N, M, 4 * N, (int2)(column, row), parts);
}

#else
// For devices without 2D block operations, and for row pitches that those do not take: rows in one message each
// where a block lies inside the matrices and every row starts on 4 bytes (cl_intel_subgroups), else by element.

static uint element(global const ushort *matrix, int rows, int columns, int row, int column)
{
    return row < rows && column < columns ? matrix[(size_t)row * columns + column] : 0;
}

#if defined(cl_intel_subgroups) && defined(cl_intel_subgroups_short)
#define ROW_READS 1
#if ATOMS_N == 4
#define READ_ROW(p, parts) vstore4(intel_sub_group_block_read_us4(p), 0, parts)
#elif ATOMS_N == 2
#define READ_ROW(p, parts) vstore2(intel_sub_group_block_read_us2(p), 0, parts)
#else
#define READ_ROW(p, parts) (parts)[0] = intel_sub_group_block_read_us(p)
#endif
#else
#define ROW_READS 0
#endif

static void load_a(global const ushort *a, int M, int K, int row, int k, a_part *parts)
{
#if ROW_READS
    if (row + SM <= M && k + ATOM_K <= K && K % 2 == 0) {
        #pragma unroll
        for (int i = 0; i < SM; ++i) {
            global const ushort *start = a + (size_t)(row + i) * K + k;
#if SG == 16
            parts[i] = intel_sub_group_block_read_us(start);
#else
            parts[i] = intel_sub_group_block_read((global const uint *)start);
#endif
        }
        return;
    }
#endif
    const int lane = (int)get_sub_group_local_id();
    for (int i = 0; i < SM; ++i) {
#if SG == 16
        parts[i] = (ushort)element(a, M, K, row + i, k + lane);
#else
        parts[i] = element(a, M, K, row + i, k + 2 * lane) | element(a, M, K, row + i, k + 2 * lane + 1) << 16;
#endif
    }
}

static void load_b(global const ushort *b, int K, int N, int k, int column, uint *parts)
{
#if ROW_READS
    if (k + ATOM_K <= K && column + SN <= N && N % 2 == 0) {
        #pragma unroll
        for (int i = 0; i < 8; ++i) {
            ushort low[ATOMS_N], high[ATOMS_N];
            READ_ROW(b + (size_t)(k + 2 * i) * N + column, low);
            READ_ROW(b + (size_t)(k + 2 * i + 1) * N + column, high);
            #pragma unroll
            for (int j = 0; j < ATOMS_N; ++j)
                parts[8 * j + i] = (uint)low[j] | (uint)high[j] << 16;
        }
        return;
    }
#endif
    const int lane = (int)get_sub_group_local_id();
    for (int j = 0; j < ATOMS_N; ++j) {
        const int n = column + j * SG + lane;
        for (int i = 0; i < 8; ++i)
            parts[8 * j + i] = element(b, K, N, k + 2 * i, n) | element(b, K, N, k + 2 * i + 1, n) << 16;
    }
}

static void store_d(global float *d, int M, int N, int row, int column, float8 sum)
{
    const int n = column + (int)get_sub_group_local_id();
    float parts[ATOM_M];
    vstore8(sum, 0, parts);
    #pragma unroll
    for (int i = 0; i < ATOM_M; ++i) {
        if (row + i < M && n < N)
            d[(size_t)(row + i) * N + n] = parts[i];
    }
}

#endif

__attribute__((intel_reqd_sub_group_size(SG)))
__attribute__((reqd_work_group_size(SUB_GROUPS * SG, 1, 1)))
kernel void gemm(global const ushort *a, global const ushort *b, global float *d, int M, int N, int K)
{
    const int sub_group = (int)get_sub_group_id();
    const int row = (int)get_group_id(1) * TM + sub_group / GROUPS_N * SM;
    const int column = (int)get_group_id(0) * TN + sub_group % GROUPS_N * SN;

    float8 sum[ATOMS_M][ATOMS_N];
    #pragma unroll
    for (int i = 0; i < ATOMS_M; ++i) {
        #pragma unroll
        for (int j = 0; j < ATOMS_N; ++j)
            sum[i][j] = 0.0f;
    }

    for (int step = 0; step < K; step += TK) {
#if BLOCK_IO
        fetch_ahead(a, b, M, N, K, row, column, step + STEPS_AHEAD * TK);
#endif
        #pragma unroll
        for (int k = 0; k < TK; k += ATOM_K) {
            a_part a_parts[SM];
            uint b_parts[8 * ATOMS_N];
            load_a(a, M, K, row, step + k, a_parts);
            load_b(b, K, N, step + k, column, b_parts);
            #pragma unroll
            for (int i = 0; i < ATOMS_M; ++i) {
                const a_atom left = AS_A_ATOM(a_parts + ATOM_M * i);
                #pragma unroll
                for (int j = 0; j < ATOMS_N; ++j)
                    sum[i][j] = MULTIPLY_ADD(left, AS_B_ATOM(b_parts + 8 * j), sum[i][j]);
            }
        }
    }

    #pragma unroll
    for (int i = 0; i < ATOMS_M; ++i) {
        #pragma unroll
        for (int j = 0; j < ATOMS_N; ++j)
            store_d(d, M, N, row + ATOM_M * i, column + SG * j, sum[i][j]);
    }
}
