// The loops of mask_loops.h.
#include "kernels/mask_loops.h"

#include <cstring>

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;
using Flag = std::uint8_t;

struct Bytes16 {
    std::uint64_t low, high;
};

Index count(Index n, const Flag* flag) {
    constexpr Index kRun = 128;  // as many flags as a byte counts, and a few vectors
    Index total = 0, i = 0;
    for (; i + kRun <= n; i += kRun) {
        Flag set[16] = {};
        for (Index j = 0; j < kRun; j += 16) {
            for (Index k = 0; k < 16; ++k) set[k] = Flag(set[k] + (flag[i + j + k] != 0));
        }
        for (Index k = 0; k < 16; ++k) total += set[k];
    }
    for (; i < n; ++i) total += flag[i] != 0;
    return total;
}

template <class T>
void fill(Index n, const Flag* flag, void* x, Index step, const void* value) {
    T* to = static_cast<T*>(x);
    T one;
    std::memcpy(&one, value, sizeof one);
    if (step == 1) {
#pragma GCC ivdep
        for (Index i = 0; i < n; ++i) to[i] = flag[i] ? one : to[i];
    } else {
        for (Index i = 0; i < n; ++i) to[i * step] = flag[i] ? one : to[i * step];
    }
}

// Through a buffer: every element is written to it, and only those that are picked stay.
constexpr Index kBuffer = 512;

template <class T>
Index pack(Index n, const Flag* flag, const void* x, Index step, void* packed) {
    const T* from = static_cast<const T*>(x);
    T* out = static_cast<T*>(packed);
    T picked[kBuffer];
    for (Index start = 0; start < n; start += kBuffer) {
        const Index stop = n - start < kBuffer ? n : start + kBuffer;
        Index held = 0;
        if (step == 1) {
            for (Index i = start; i < stop; ++i) {
                picked[held] = from[i];
                held += flag[i] != 0;
            }
        } else {
            for (Index i = start; i < stop; ++i) {
                picked[held] = from[i * step];
                held += flag[i] != 0;
            }
        }
        std::memcpy(out, picked, std::size_t(held) * sizeof(T));
        out += held;
    }
    return out - static_cast<T*>(packed);
}

template <class T, bool clear>
Index spread_block(Index n, const Flag* flag, T* to, Index step, const T* next) {
    Index taken = 0;
    for (Index i = 0; i < n; ++i) {
        const T value = next[taken];
        to[i * step] = flag[i] ? value : clear ? T{} : to[i * step];
        taken += flag[i] != 0;
    }
    return taken;
}

template <class T>
Index spread(Index n, const Flag* flag, void* x, Index step, const void* packed, Index held,
             bool clear) {
    T* to = static_cast<T*>(x);
    const T* from = static_cast<const T*>(packed);
    T next[kBuffer + 1];  // one more is read than is taken
    next[kBuffer] = T{};
    Index taken = 0;
    for (Index start = 0; start < n; start += kBuffer) {
        const Index count = n - start < kBuffer ? n - start : kBuffer, left = held - taken;
        std::memcpy(next, from + taken, std::size_t(left < count ? left : count) * sizeof(T));
        if (left < count) next[left] = T{};
        T* out = to + start * step;
        taken += clear ? spread_block<T, true>(count, flag + start, out, step, next)
                       : spread_block<T, false>(count, flag + start, out, step, next);
    }
    return taken;
}

template <class T>
constexpr MaskMoves moves_of{&fill<T>, &pack<T>, &spread<T>};

}  // namespace

const MaskTable& mask_table() {
    static constexpr MaskTable table{
        &count,
        {moves_of<std::uint8_t>, moves_of<std::uint16_t>, moves_of<std::uint32_t>,
         moves_of<std::uint64_t>, moves_of<Bytes16>}};
    return table;
}

}  // namespace rushlight::RUSHLIGHT_ISA
