// Products of bfloat16 matrices with the instruction that multiplies and adds pairs of them
// (AVX512_BF16), which rounds its sums to float32 and takes subnormal numbers for 0.
#include "kernels/gemm_loops.h"

#if defined(__AVX512F__)
#include <cstring>

#include "runtime/vectors.h"
#endif

namespace rushlight::RUSHLIGHT_ISA {

#if defined(__AVX512F__)
// x86-64-v4 does not imply the instruction: the functions that use it ask for it, and the table
// offers them to machines that have it.
#define RUSHLIGHT_BF16 __attribute__((target("avx512bf16")))

namespace {

using Index = std::int64_t;
using Bits = std::uint16_t;
using Pair = std::uint32_t;  // two neighbours along k
using Args = GemmArgs<Bits, float>;

constexpr int kRows = 8, kLanes = 16;
constexpr Index kCols = 2 * kLanes;
// What is packed at a time: rows of A, and the depth of both.
constexpr Index kBlockRows = 256, kDepth = 256;

// Vectors of length k, vector i at from + i * step with its elements `along` apart, as pairs:
// to[p / 2 * width + i]. Zeros follow an odd k, and up to `filled` vectors.
void pack_pairs(const Bits* from, Index step, Index along, Index vectors, Index filled, Index k,
                Index width, Pair* to) {
    for (Index p = 0; p < k; p += 2, to += width) {
        const Bits* even = from + p * along;
        const Bits* odd = even + along;
        if (p + 1 == k) {
            for (Index i = 0; i < vectors; ++i) to[i] = even[i * step];
        } else if (step == 1) {
            for (Index i = 0; i < vectors; ++i) to[i] = even[i] | Pair(odd[i]) << 16;
        } else {
            for (Index i = 0; i < vectors; ++i) to[i] = even[i * step] | Pair(odd[i * step]) << 16;
        }
        for (Index i = vectors; i < filled; ++i) to[i] = 0;
    }
}

// The same where vectors are contiguous along k: their pairs lie side by side in memory, so what is
// left is a transposition.
void pack_along(const Bits* from, Index step, Index vectors, Index filled, Index k, Index width,
                Pair* to) {
    constexpr int S = 8;
    typename Vector<float, 4 * S>::type rows[S];
    const Index whole = k / (2 * S) * (2 * S);
    Index i = 0;
    for (; i + S <= vectors; i += S) {
        for (Index p = 0; p < whole; p += 2 * S) {
            for (int r = 0; r < S; ++r) std::memcpy(&rows[r], from + (i + r) * step + p, 4 * S);
            transpose<S>(rows);
            for (int r = 0; r < S; ++r) std::memcpy(to + (p / 2 + r) * width + i, &rows[r], 4 * S);
        }
        pack_pairs(from + i * step + whole, step, 1, S, S, k - whole, width,
                   to + whole / 2 * width + i);
    }
    if (i < filled) {
        pack_pairs(from + i * step, step, 1, vectors - i, filled - i, k, width, to + i);
    }
}

// A as pairs: that of row r at depth p is at data + r * row + p / 2 * deep.
struct Left {
    const Bits* data;
    Index row, deep;
};

struct Right {
    const Pair* data;
    Index width;
};

// R rows of C by `cols` columns, at most V vectors.
template <int V, int R>
RUSHLIGHT_BF16 void block(const Args& g, Index pairs, const Left& a, const Right& b, float* c,
                          Index cols, const float* from, Index from_row) {
    __m512 acc[R][V];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) acc[r][v] = _mm512_setzero_ps();
    }
    for (Index p = 0; p < pairs; ++p) {
        __m512i right[V];
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
            right[v] = _mm512_loadu_si512(b.data + p * b.width + v * kLanes);
        }
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            Pair bits;
            std::memcpy(&bits, a.data + r * a.row + p * a.deep, sizeof bits);
            const __m512i left = _mm512_set1_epi32(int(bits));
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) {
                acc[r][v] = _mm512_dpbf16_ps(acc[r][v], (__m512bh)left, (__m512bh)right[v]);
            }
        }
    }
    const __m512 alpha = _mm512_set1_ps(g.alpha);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
            const Index left = cols - v * kLanes;
            const __mmask16 mask = left >= kLanes ? 0xffff : left > 0 ? (1 << left) - 1 : 0;
            __m512 value = _mm512_mul_ps(acc[r][v], alpha);
            if (from) {
                const float* begin = from + r * from_row + v * kLanes;
                value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, begin));
            }
            _mm512_mask_storeu_ps(c + r * g.c_row + v * kLanes, mask, value);
        }
    }
}

template <int V, int R>
RUSHLIGHT_BF16 void rows_left(const Args& g, Index rows, Index pairs, const Left& a, const Right& b,
                              float* c, Index cols, const float* from, Index from_row) {
    if (rows == R) {
        block<V, R>(g, pairs, a, b, c, cols, from, from_row);
    } else if constexpr (R > 1) {
        rows_left<V, R - 1>(g, rows, pairs, a, b, c, cols, from, from_row);
    }
}

RUSHLIGHT_BF16 void product_bf16(const Args& g) {
    alignas(64) Pair left[kDepth / 2 * kBlockRows];
    alignas(64) Pair right[kDepth / 2 * kCols];
    for (Index k0 = 0; k0 < g.k; k0 += kDepth) {
        const Index k = g.k - k0 < kDepth ? g.k - k0 : kDepth;
        const Index pairs = (k + 1) / 2;
        const float* from = k0 > 0 ? g.c : g.from;
        const Index from_row = k0 > 0 ? g.c_row : g.from_row;
        for (Index i0 = 0; i0 < g.m; i0 += kBlockRows) {
            const Index rows = g.m - i0 < kBlockRows ? g.m - i0 : kBlockRows;
            const Bits* a = g.a + i0 * g.a_row + k0 * g.a_col;
            Left packed{a, g.a_row, 2};
            if (g.a_col != 1 || k % 2 != 0) {
                pack_pairs(a, g.a_row, g.a_col, rows, rows, k, kBlockRows, left);
                packed = {reinterpret_cast<const Bits*>(left), 2, 2 * kBlockRows};
            }
            for (Index j = 0; j < g.n; j += kCols) {
                const Index cols = g.n - j < kCols ? g.n - j : kCols;
                const Index width = cols > kLanes ? kCols : kLanes;
                const Bits* b = g.b + k0 * g.b_row + j * g.b_col;
                if (g.b_row == 1) {
                    pack_along(b, g.b_col, cols, width, k, width, right);
                } else {
                    pack_pairs(b, g.b_col, g.b_row, cols, width, k, width, right);
                }
                for (Index i = 0; i < rows; i += kRows) {
                    const Index count = rows - i < kRows ? rows - i : kRows;
                    const Left at{packed.data + i * packed.row, packed.row, packed.deep};
                    float* c = g.c + (i0 + i) * g.c_row + j;
                    const float* begin = from ? from + (i0 + i) * from_row + j : nullptr;
                    if (width == kCols) {
                        rows_left<2, kRows>(g, count, pairs, at, {right, width}, c, cols, begin,
                                            from_row);
                    } else {
                        rows_left<1, kRows>(g, count, pairs, at, {right, width}, c, cols, begin,
                                            from_row);
                    }
                }
            }
        }
    }
}

}  // namespace

Bf16Product bf16_product() { return __builtin_cpu_supports("avx512bf16") ? product_bf16 : nullptr; }

#else

Bf16Product bf16_product() { return nullptr; }

#endif

}  // namespace rushlight::RUSHLIGHT_ISA
