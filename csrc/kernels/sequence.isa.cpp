// The loops of sequence_loops.h. Counters of 32 bits, where the numbers fit, make vectors.
#include "kernels/sequence_loops.h"

#include <type_traits>

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

bool is_short(Index first, Index last) {
    constexpr Index kMost = Index(1) << 31;
    return first >= -kMost && first < kMost && last >= -kMost && last < kMost;
}

// f(Counter()) with the shortest counter for these numbers.
template <class F>
void with_counter(Index first, Index last, F f) {
    if (is_short(first, last)) {
        f(std::int32_t());
    } else {
        f(Index());
    }
}

template <class T>
void whole(void* memory, Index n, Index first, Index step) {
    T* out = static_cast<T*>(memory);
    Index last;
    if (__builtin_mul_overflow(n, step, &last) || __builtin_add_overflow(first, last, &last)) {
        last = INT64_MAX;  // wraps around, as sums of int64 do
    }
    with_counter(first, last, [=](auto counter) {
        using Unsigned = std::make_unsigned_t<decltype(counter)>;
        using Counter = decltype(counter);
        Unsigned value = Unsigned(first);
        for (Index i = 0; i < n; ++i, value += Unsigned(step)) out[i] = convert<T>(Counter(value));
    });
}

template <class T>
void real(void* memory, Index n, Index begin, double from, double by) {
    T* out = static_cast<T*>(memory);
    with_counter(begin, begin + n, [=](auto counter) {
        using Counter = decltype(counter);
        const Counter first = Counter(begin);
        for (Counter i = 0; i < Counter(n); ++i) out[i] = convert<T>(from + double(first + i) * by);
    });
}

template <class T>
using Wide = std::conditional_t<std::is_same_v<T, float>, float, double>;

template <class T>
void between(void* memory, Index n, Index begin, double bound, double by, bool to_end) {
    using W = Wide<T>;
    T* out = static_cast<T*>(memory);
    const W start = W(bound), step = W(by);
    with_counter(begin - n, begin + n, [=](auto counter) {
        using Counter = decltype(counter);
        const Counter first = Counter(begin);
        const Counter count = Counter(n);
        if (to_end) {
            for (Counter i = 0; i < count; ++i) out[i] = convert<T>(start - step * W(first - i));
        } else {
            for (Counter i = 0; i < count; ++i) out[i] = convert<T>(start + step * W(first + i));
        }
    });
}

SequenceTable make_table() {
    SequenceTable table{};
    for (int d = 0; d < kDTypes; ++d) {
        dispatch(DType(d), [&]<class T>() {
            table.whole[d] = &whole<T>;
            table.real[d] = &real<T>;
            if constexpr (dtype_of<T> < DType::C64) table.between[d] = &between<T>;
        });
    }
    return table;
}

}  // namespace

const SequenceTable& sequence_table() {
    static const SequenceTable table = make_table();
    return table;
}

}  // namespace rushlight::RUSHLIGHT_ISA
