// Bags of embeddings: sums, means and maxima of rows of a table, without the rows in between.
#include <algorithm>
#include <optional>
#include <vector>

#include "bind/casters.h"
#include "kernels/axis_walk.h"
#include "kernels/embedding_bag_loops.h"

namespace rushlight {
namespace {

// So many rows are added up by themselves; the sums of such runs are added in double precision.
constexpr Index kRun = 64;
constexpr double kSecondsPerElement = 0.2e-9, kSecondsPerRow = 10e-9;

enum class Mode { Sum, Mean, Max };

Mode mode_of(const std::string& name) {
    check_as(ErrorKind::Value, name == "sum" || name == "mean" || name == "max",
             "embedding_bag: mode has to be one of sum, mean or max, got ", name);
    return name == "sum" ? Mode::Sum : name == "mean" ? Mode::Mean : Mode::Max;
}

// Where each bag begins, and where the last one ends.
std::vector<Index> limits_of(const Array& offsets, Index total) {
    const Array starts = as_index(offsets);
    const auto* start = starts.data<Index>();
    std::vector<Index> limits(start, start + starts.numel());
    limits.push_back(total);
    for (std::size_t i = 0; i + 1 < limits.size(); ++i) {
        check(limits[i] >= 0 && limits[i] <= limits[i + 1], "embedding_bag: offsets have to rise "
              "from 0 to at most the ", total, " indices, but offset ", i, " is ", limits[i]);
    }
    return limits;
}

template <class T>
struct Table {
    const T* data;
    Index row, width;
};

// sum = the sum of the rows, in runs of kRun
template <class T>
void sum_rows(const Table<T>& table, const Index* index, Index count, const T* factors, T* sum,
              std::vector<double>& totals) {
    const auto& loops = bag_table().get<T>();
    std::fill_n(sum, table.width, T(0));
    if (count <= kRun) {
        return loops.add_rows(table.data, table.row, table.width, index, count, factors, sum);
    }
    totals.assign(std::size_t(table.width), 0.0);
    for (Index at = 0; at < count; at += kRun) {
        loops.add_rows(table.data, table.row, table.width, index + at, std::min(kRun, count - at),
                       factors ? factors + at : nullptr, sum);
        for (Index c = 0; c < table.width; ++c) {
            totals[std::size_t(c)] += double(sum[c]);
            sum[c] = T(0);
        }
    }
    for (Index c = 0; c < table.width; ++c) sum[c] = T(totals[std::size_t(c)]);
}

// The indices of a bag that are not the padding, with their factors.
template <class T>
struct Kept {
    std::vector<Index> index;
    std::vector<T> factors;

    void take(const Index* from, Index count, const T* weights, Index padding) {
        index.clear();
        factors.clear();
        for (Index i = 0; i < count; ++i) {
            if (from[i] == padding) continue;
            index.push_back(from[i]);
            if (weights) factors.push_back(weights[i]);
        }
    }
};

// The result (bags, width); with mode "max" also which row each number is from, -1 in empty bags.
std::pair<Array, Array> embedding_bag(const Array& weight, const Array& indices,
                                      const Array& offsets, const std::string& mode_name,
                                      const std::optional<Array>& sample_weights, bool,
                                      Index padding, bool /*sparse*/) {
    const Mode mode = mode_of(mode_name);
    check(weight.ndim() == 2, "embedding_bag: expected a weight (rows, features), got shape ",
          weight.shape());
    check(indices.dtype() == DType::I64 || indices.dtype() == DType::I32,
          "embedding_bag: expected indices of dtype int64 or int32, got ",
          name_of(indices.dtype()));
    if (weight.is_meta()) {
        const Dims shape{offsets.numel(), weight.size(1)};
        return {Array::meta(shape, weight.dtype()),
                mode == Mode::Max ? Array::meta(shape, DType::I64) : Array()};
    }
    const Array positions = as_index(indices);
    const auto* position = positions.data<Index>();
    const Index total = positions.numel(), rows = weight.size(0), width = weight.size(1);
    const Index wrong = find_outside(position, total, 0, rows);
    if (wrong >= 0) {
        fail(ErrorKind::Index, "embedding_bag: index out of range: index ", position[wrong],
             " into a table of ", rows, " rows");
    }
    const std::vector<Index> limits = limits_of(offsets, total);
    const Index bags = Index(limits.size()) - 1;
    const DType dtype = is_half(weight.dtype()) ? DType::F32 : weight.dtype();
    const Array result = Array::empty({bags, width}, dtype);
    const Array from = mode == Mode::Max ? Array::empty({bags, width}, DType::I64) : Array();
    dispatch_real("embedding_bag", dtype, [&]<class T>() {
        const Array converted = cast(weight, dtype);
        const Array dense =
            width <= 1 || converted.stride(1) == 1 ? converted : contiguous(converted);
        const Array factors =
            sample_weights ? contiguous(cast(*sample_weights, dtype)) : Array();
        const Table<T> table{dense.data<T>(), dense.stride(0), width};
        const T* factor = factors ? factors.data<T>() : nullptr;
        T* const to = result.data<T>();
        Index* const chosen = from ? from.data<Index>() : nullptr;
        const auto& loops = bag_table().get<T>();
        const double mean_length = double(total) / double(std::max<Index>(bags, 1));
        const double seconds =
            mean_length * (double(width) * kSecondsPerElement + kSecondsPerRow) + kSecondsPerRow;
        for_ranges(bags, Index(20e-6 / seconds), seconds, [&](Index begin, Index end) {
            Kept<T> kept;
            std::vector<double> totals;
            for (Index bag = begin; bag < end; ++bag) {
                const Index start = limits[std::size_t(bag)];
                Index count = limits[std::size_t(bag) + 1] - start;
                const Index* index = position + start;
                const T* weights = factor ? factor + start : nullptr;
                if (padding >= 0 && std::find(index, index + count, padding) != index + count) {
                    kept.take(index, count, weights, padding);
                    index = kept.index.data();
                    count = Index(kept.index.size());
                    weights = weights ? kept.factors.data() : nullptr;
                }
                T* const sum = to + bag * width;
                if (mode != Mode::Max) {
                    sum_rows(table, index, count, weights, sum, totals);
                    if (mode == Mode::Mean && count > 1) loops.divide(sum, T(count), width);
                } else if (count > 0) {
                    loops.largest_rows(table.data, table.row, width, index, count, sum,
                                       chosen + bag * width);
                } else {
                    std::fill_n(sum, width, T(0));
                    std::fill_n(chosen + bag * width, width, Index(-1));
                }
            }
        });
    });
    return {cast(result, weight.dtype()), from};
}

}  // namespace

void bind_embedding_bag(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("embedding_bag", &embedding_bag, "weight"_a, "indices"_a, "offsets"_a, "mode"_a,
          "per_sample_weights"_a.none(), "scale_grad_by_freq"_a, "padding_idx"_a,
          "sparse"_a);
}

}  // namespace rushlight
