// Counting into bins and finding the bin: bincount, histc, searchsorted, bucketize.
#include <cmath>

#include "bind/casters.h"
#include "kernels/axis_walk.h"

namespace rushlight {

namespace {

// How often each number occurs, or the sum of its weights: (max(max(x) + 1, minlength),).
Array bincount(const Array& x, std::optional<Array> weights, Index minlength) {
    check_as(ErrorKind::NotImplemented, is_integral(x.dtype()),
             "bincount: not implemented for dtype ", name_of(x.dtype()), "; expected integers");
    check(minlength >= 0, "bincount: minlength should be >= 0, got ", minlength);
    if (x.ndim() == 1 && x.numel() == 0) return Array::zeros(Dims{minlength}, DType::I64);
    check(x.ndim() == 1, "bincount only supports 1-d non-negative integral inputs, got shape ",
          x.shape());
    const Array numbers = as_index(x);
    const auto* number = numbers.data<Index>();
    const Index count = x.numel();
    Index largest = 0;
    for (Index i = 0; i < count; ++i) {
        check(number[i] >= 0, "bincount only supports 1-d non-negative integral inputs, got ",
              number[i], " at position ", i);
        largest = std::max(largest, number[i]);
    }
    const Dims shape{std::max(largest + 1, minlength)};
    if (!weights) {
        const Array result = Array::zeros(shape, DType::I64);
        auto* bin = result.data<Index>();
        for (Index i = 0; i < count; ++i) ++bin[number[i]];
        return result;
    }
    check(weights->ndim() == 1 && weights->numel() == count,
          "bincount: weights should be 1-d and have the same length as input, got ",
          weights->shape(), " for an input of shape ", x.shape());
    check(!is_complex(weights->dtype()), "bincount: complex weights are not supported");
    const DType dtype = weights->dtype() == DType::F32 ? DType::F32 : DType::F64;
    const Array values = contiguous(cast(*weights, dtype));
    const Array result = Array::zeros(shape, dtype);
    dispatch_real("bincount", dtype, [&]<class T>() {
        const T* weight = values.data<T>();
        T* bin = result.data<T>();
        for (Index i = 0; i < count; ++i) bin[number[i]] += weight[i];
    });
    return result;
}

// Counts in `bins` equal bins over [low, high], as a tensor of the input's dtype.
Array histc(const Array& x, Index bins, double low, double high) {
    check_as(ErrorKind::NotImplemented, is_floating(x.dtype()), "histc: not implemented for dtype ",
             name_of(x.dtype()), "; expected floating point");
    check(bins > 0, "histc: bins must be > 0, but got ", bins);
    const Array source = contiguous(x);
    const Array result = Array::empty(Dims{bins}, x.dtype());
    dispatch(x.dtype(), [&]<class T>() {
        if constexpr (std::is_floating_point_v<Compute<T>>) {
            using C = Compute<T>;
            const T* in = source.data<T>();
            C from = C(low), to = C(high);
            if (low == high && x.numel() > 0) {
                from = to = C(in[0]);
                for (Index i = 0; i < x.numel(); ++i) {
                    const C value = C(in[i]);
                    from = value < from || is_nan(value) ? value : from;
                    to = value > to || is_nan(value) ? value : to;
                }
            }
            if (from == to) {
                from -= 1;
                to += 1;
            }
            check(std::isfinite(from) && std::isfinite(to), "histc: range of [", double(from), ", ",
                  double(to), "] is not finite");
            check(from < to, "histc: max must be larger than min, got min = ", low,
                  ", max = ", high);
            std::vector<Index> counts(static_cast<std::size_t>(bins), 0);
            for (Index i = 0; i < x.numel(); ++i) {
                const C value = C(in[i]);
                if (!(value >= from && value <= to)) continue;  // NaN is nowhere
                const Index bin = Index((value - from) * C(bins) / (to - from));
                ++counts[std::size_t(std::min(bin, bins - 1))];
            }
            for (Index b = 0; b < bins; ++b) result.data<T>()[b] = T(C(counts[std::size_t(b)]));
        }
    });
    return result;
}

void check_searchable(const Array& sorted, const Array& values,
                      const std::optional<Array>& sorter) {
    const char* what = "searchsorted: ";
    const auto searchable = [](DType dtype) { return is_integral(dtype) || is_floating(dtype); };
    check_as(ErrorKind::NotImplemented, searchable(sorted.dtype()) && searchable(values.dtype()),
             what, "not implemented for dtypes ", name_of(sorted.dtype()), " and ",
             name_of(values.dtype()));
    check(values.ndim() > 0 || sorted.ndim() == 1, what,
          "input value can be a scalar only when boundaries tensor dimension is 1, but we got "
          "boundaries of shape ",
          sorted.shape());
    check(sorted.ndim() > 0, what,
          "boundaries tensor should have positive dimension, but got 0 dimension");
    bool matches = sorted.ndim() == 1 || sorted.ndim() == values.ndim();
    for (int d = 0; matches && sorted.ndim() > 1 && d + 1 < sorted.ndim(); ++d) {
        matches = sorted.size(d) == values.size(d);
    }
    check(matches, what,
          "boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries "
          "tensor and "
          "input value tensor must match, but we got boundaries tensor ",
          sorted.shape(), " and input value tensor ", values.shape());
    if (!sorter) return;
    check(sorter->dtype() == DType::I64, what,
          "sorter must be a tensor of long dtype but got dtype ", name_of(sorter->dtype()));
    check(sorter->shape() == sorted.shape(), what,
          "boundary and sorter must have the same size, but got boundary tensor ", sorted.shape(),
          " and got sorter tensor ", sorter->shape());
}

// The first place of a sorted row for which before(element) no longer holds. Without branches on
// the data, which nothing could predict.
template <class T, class Before>
Index first_place(const T* row, const Index* order, Index length, Before before) {
    Index start = 0, rest = length;
    while (rest > 0) {
        const Index half = rest / 2, middle = start + half;
        const bool further = before(Compute<T>(row[order ? order[middle] : middle]));
        start += further * (half + 1);
        rest = further ? rest - half - 1 : half;
    }
    return start;
}

// For each value the first position of its row of `sorted` (or of the one row for all) at which it
// could stand; with `right`, the last. `sorter` is the order in which `sorted` is sorted.
Array searchsorted(const Array& sorted, const Array& values, bool right, bool out_int32,
                   std::optional<Array> sorter) {
    check_searchable(sorted, values, sorter);
    const Index length = sorted.shape().back();
    const Array order = sorter ? contiguous(*sorter) : Array();
    if (order) {
        check(find_outside(order.data<Index>(), order.numel(), 0, length) < 0,
              "searchsorted: sorter index out of range");
    }
    check(!out_int32 || length <= Index(INT32_MAX),
          "searchsorted: the boundaries are too many for out_int32=True");
    const Array result = Array::empty(values.shape(), out_int32 ? DType::I32 : DType::I64);
    if (values.numel() == 0) return result;
    const DType dtype = promote(sorted.dtype(), values.dtype());
    const Array rows = contiguous(cast(sorted, dtype)), wanted = contiguous(cast(values, dtype));
    const Index per_row = sorted.ndim() == 1 ? values.numel() : values.shape().back();
    const auto* place = order ? order.data<Index>() : nullptr;
    dispatch(dtype, [&]<class T>() {
        if constexpr (!is_complex_type<T>) {
            const T* in = rows.data<T>();
            const T* value = wanted.data<T>();
            const auto search_all = [&](auto&& before) {
                const double seconds = 2e-9 * std::log2(double(length) + 2);
                for_ranges(values.numel(), 4096, seconds, [&](Index begin, Index end) {
                    for (Index i = begin; i < end; ++i) {
                        const Index base = i / per_row * length;
                        const Index* order_of_row = place ? place + base : nullptr;
                        const Index found = first_place(
                            in + base, order_of_row, length,
                            [&](Compute<T> there) { return before(there, Compute<T>(value[i])); });
                        if (out_int32) {
                            result.data<std::int32_t>()[i] = std::int32_t(found);
                        } else {
                            result.data<Index>()[i] = found;
                        }
                    }
                });
            };
            if (right) {
                search_all([](auto there, auto wanted) { return !(there > wanted); });
            } else {
                search_all([](auto there, auto wanted) { return !(there >= wanted); });
            }
        }
    });
    return result;
}

}  // namespace

void bind_histogram(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("bincount", &bincount, "x"_a, "weights"_a = nanobind::none(), "minlength"_a = 0);
    m.def("histc", &histc, "x"_a, "bins"_a = 100, "min"_a = 0.0, "max"_a = 0.0);
    m.def("searchsorted", &searchsorted, "sorted"_a, "values"_a, "right"_a = false,
          "out_int32"_a = false, "sorter"_a = nanobind::none());
}

}  // namespace rushlight
