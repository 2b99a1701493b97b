// The functions of two Intel extensions in plain OpenCL C, after their texts in the Khronos registry, so that kernels
// written for matrix engines run on any device with sub-groups of SG work-items.
//
// What the texts leave undefined shows: a block outside the rules reads as NaN and is not written.

#define cl_intel_subgroup_matrix_multiply_accumulate 1

// Inlined into an unrolled kernel they would take a compiler for CPUs minutes.
#define NOINLINE __attribute__((noinline))

static float emulated_bf16(uint bits) { return as_float(bits << 16); }
static float emulated_f16(uint bits)
{
    const ushort narrow = (ushort)bits;
    return vload_half(0, (const private half *)&narrow);
}

// Matrix functions, 8 rows, K = 16. Every lane works out its column of the result; the elements of row i of A
// come from all lanes: one from each of 16, or two from each of 8, the lower column in the lower half.
#if SG == 16
typedef short8 emulated_a;
#define EMULATED_A(part, k) ((uint)(ushort)sub_group_broadcast((int)(part), (k)))
#else
typedef int8 emulated_a;
#define EMULATED_A(part, k) (((uint)sub_group_broadcast((part), (k) / 2) >> (16 * ((k) % 2))) & 0xffff)
#endif

#define EMULATED_ROW(name, i)                                                                        \
    for (int k = 0; k < 16; ++k)                                                                     \
        acc.s##i += name(EMULATED_A(a.s##i, k)) * name((column[k / 2] >> (16 * (k % 2))) & 0xffff);

#define EMULATED_MULTIPLY(name)                                                                      \
    NOINLINE float8 emulated_multiply_##name(emulated_a a, int8 b, float8 acc)                                \
    {                                                                                                \
        uint column[8];                                                                              \
        vstore8(as_uint8(b), 0, column);                                                             \
        EMULATED_ROW(emulated_##name, 0) EMULATED_ROW(emulated_##name, 1)                            \
        EMULATED_ROW(emulated_##name, 2) EMULATED_ROW(emulated_##name, 3)                            \
        EMULATED_ROW(emulated_##name, 4) EMULATED_ROW(emulated_##name, 5)                            \
        EMULATED_ROW(emulated_##name, 6) EMULATED_ROW(emulated_##name, 7)                            \
        return acc;                                                                                  \
    }

EMULATED_MULTIPLY(bf16)
EMULATED_MULTIPLY(f16)
#define intel_sub_group_bf16_bf16_matrix_mad_k16 emulated_multiply_bf16
#define intel_sub_group_f16_f16_matrix_mad_k16 emulated_multiply_f16

#if SG == 16
#define cl_intel_subgroup_2d_block_io 1

// The section "Restrictions". Widths and pitches are in bytes, coordinates in elements of `size` bytes.
static bool emulated_rules(global void *base, int width, int height, int pitch, int2 coord, int size)
{
    return (ulong)base % 64 == 0 && width >= 64 && width <= 1 << 24 && width % 4 == 0 && height > 0
        && height <= 1 << 24 && pitch >= width && pitch % 16 == 0 && (size > 2 || coord.x % 2 == 0);
}

static uint emulated_read(global void *base, int width, int height, int pitch, int2 coord)
{
    if (coord.x < 0 || coord.y < 0 || 2 * coord.x >= width || coord.y >= height)
        return 0;
    return ((global ushort *)((global char *)base + (size_t)coord.y * pitch))[coord.x];
}

#define EMULATED_READ(rows)                                                                          \
    NOINLINE void intel_sub_group_2d_block_read_16b_##rows##r16x1c(                                           \
        global void *base, int width, int height, int pitch, int2 coord, private ushort *out)        \
    {                                                                                                \
        const int lane = (int)get_sub_group_local_id();                                              \
        const bool allowed = emulated_rules(base, width, height, pitch, coord, 2);                   \
        for (int i = 0; i < rows; ++i)                                                               \
            out[i] = allowed ? (ushort)emulated_read(base, width, height, pitch, coord + (int2)(lane, i)) : 0xffff; \
    }                                                                                                \
    NOINLINE void intel_sub_group_2d_block_prefetch_16b_##rows##r16x1c(                                       \
        global void *base, int width, int height, int pitch, int2 coord) {}

EMULATED_READ(8)
EMULATED_READ(16)
EMULATED_READ(32)

#define EMULATED_TRANSFORM(count)                                                                    \
    NOINLINE void intel_sub_group_2d_block_read_transform_16b_16r16x##count##c(                               \
        global void *base, int width, int height, int pitch, int2 coord, private uint *out)          \
    {                                                                                                \
        const int lane = (int)get_sub_group_local_id();                                              \
        const bool allowed = emulated_rules(base, width, height, pitch, coord, 2);                   \
        for (int block = 0; block < count; ++block)                                                  \
            for (int i = 0; i < 8; ++i) {                                                            \
                const int2 low = coord + (int2)(16 * block + lane, 2 * i);                           \
                const uint pair = emulated_read(base, width, height, pitch, low)                     \
                    | emulated_read(base, width, height, pitch, low + (int2)(0, 1)) << 16;           \
                out[8 * block + i] = allowed ? pair : 0xffffffff;                                    \
            }                                                                                        \
    }

EMULATED_TRANSFORM(1)
EMULATED_TRANSFORM(2)

NOINLINE void intel_sub_group_2d_block_prefetch_16b_16r16x2c(
    global void *base, int width, int height, int pitch, int2 coord) {}

NOINLINE void intel_sub_group_2d_block_write_32b_8r16x1c(
    global void *base, int width, int height, int pitch, int2 coord, private uint *value)
{
    const int x = coord.x + (int)get_sub_group_local_id();
    if (!emulated_rules(base, width, height, pitch, coord, 4) || 4 * x >= width)
        return;
    for (int i = 0; i < 8; ++i)
        if (coord.y + i < height)
            ((global uint *)((global char *)base + (size_t)(coord.y + i) * pitch))[x] = value[i];
}
#endif
