// The loops of embedding_bag_loops.h.
#include "kernels/embedding_bag_loops.h"

#include "kernels/lanes.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

// `vectors` vectors of each row, kept in registers from row to row.
template <int vectors, class T>
[[gnu::always_inline]] inline void add_columns(const T* table, Index row, const Index* index,
                                               Index count, const T* factors, T* sum) {
    using Vector = VectorOf<T>;
    const Load<Vector> load;
    Vector total[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) total[v] = load(sum + v * kWidth<T>);
    for (Index i = 0; i < count; ++i) {
        const T* from = table + index[i] * row;
        if (factors) {
#pragma GCC unroll 8
            for (int v = 0; v < vectors; ++v) total[v] += factors[i] * load(from + v * kWidth<T>);
        } else {
#pragma GCC unroll 8
            for (int v = 0; v < vectors; ++v) total[v] += load(from + v * kWidth<T>);
        }
    }
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
        __builtin_memcpy(sum + v * kWidth<T>, &total[v], sizeof(Vector));
    }
}

template <class T>
void add_rows(const T* table, Index row, Index width, const Index* index, Index count,
              const T* factors, T* sum) {
    constexpr int wide = 4;
    Index c = 0;
    for (; c + wide * kWidth<T> <= width; c += wide * kWidth<T>) {
        add_columns<wide>(table + c, row, index, count, factors, sum + c);
    }
    for (; c + 2 * kWidth<T> <= width; c += 2 * kWidth<T>) {
        add_columns<2>(table + c, row, index, count, factors, sum + c);
    }
    for (; c + kWidth<T> <= width; c += kWidth<T>) {
        add_columns<1>(table + c, row, index, count, factors, sum + c);
    }
    for (; c < width; ++c) {
        T total = sum[c];
        for (Index i = 0; i < count; ++i) {
            const T value = table[index[i] * row + c];
            total += factors ? factors[i] * value : value;
        }
        sum[c] = total;
    }
}

template <class T>
void largest_rows(const T* table, Index row, Index width, const Index* index, Index count,
                  T* __restrict__ largest, Index* __restrict__ from) {
    for (Index i = 0; i < count; ++i) {
        const T* __restrict__ x = table + index[i] * row;
        const Index number = index[i];
        for (Index c = 0; c < width; ++c) {
            const bool better = i == 0 || x[c] > largest[c];
            largest[c] = better ? x[c] : largest[c];
            from[c] = better ? number : from[c];
        }
    }
}

template <class T>
void divide(T* x, T y, Index n) {
    for (Index i = 0; i < n; ++i) x[i] /= y;
}

template <class T>
constexpr BagLoops<T> loops_of() {
    return {add_rows<T>, largest_rows<T>, divide<T>};
}

constexpr BagTable kTable{loops_of<float>(), loops_of<double>()};

}  // namespace

const BagTable& bag_table() { return kTable; }

}  // namespace rushlight::RUSHLIGHT_ISA
