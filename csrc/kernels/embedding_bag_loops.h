// The inner loops of bags of embeddings. Compiled once per instruction set (embedding_bag.isa.cpp).
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/isa.h"

namespace rushlight {

template <class T>
struct BagLoops {
    // sum += the rows that `index` names, each times its factor (1 without factors)
    void (*add_rows)(const T* table, std::int64_t row, std::int64_t width,
                     const std::int64_t* index, std::int64_t count, const T* factors, T* sum);
    // largest = the elementwise maximum of the rows, and the number of the row it is from
    void (*largest_rows)(const T* table, std::int64_t row, std::int64_t width,
                         const std::int64_t* index, std::int64_t count, T* largest,
                         std::int64_t* from);
    // x /= y
    void (*divide)(T* x, T y, std::int64_t n);
};

struct BagTable {
    BagLoops<float> of_float;
    BagLoops<double> of_double;

    template <class T>
    const BagLoops<T>& get() const {
        if constexpr (std::is_same_v<T, float>) return of_float;
        else return of_double;
    }
};

RUSHLIGHT_ISA_TABLE(BagTable, bag_table)

}  // namespace rushlight
