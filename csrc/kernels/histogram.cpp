// Counting into bins and finding the bin: bincount, histc, searchsorted, bucketize.
#include <cmath>
#include <limits>

#include "bind/casters.h"
#include "elementwise/pending.h"
#include "kernels/axis_walk.h"

namespace rushlight {

namespace {

// How often each number occurs: ranges count for themselves where there are few bins.
Array count_numbers(const Index* number, Index count, const Dims& shape) {
    const Array result = Array::zeros(shape, DType::I64);
    auto* bin = result.data<Index>();
    const Index bins = shape[0], grain = std::max<Index>(1 << 15, 4 * bins);
    if (count < 2 * grain) {
        for (Index i = 0; i < count; ++i) ++bin[number[i]];
        return result;
    }
    const Index parts = std::min<Index>(32, count / grain), each = (count + parts - 1) / parts;
    std::vector<Index> counts(std::size_t(parts * bins), 0);
    parallel_for(parts, 5e-10 * double(each), [&](Index part) {
        Index* own = counts.data() + part * bins;
        const Index end = std::min(count, (part + 1) * each);
        for (Index i = part * each; i < end; ++i) ++own[number[i]];
    });
    for (Index part = 0; part < parts; ++part) {
        for (Index b = 0; b < bins; ++b) bin[b] += counts[std::size_t(part * bins + b)];
    }
    return result;
}

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
    const auto extreme = [&](Reduction kind) {
        return *reduce(kind, numbers, 1, false, false, DType::I64).data<Index>();
    };
    if (extreme(Reduction::Min) < 0) {
        const Index wrong = find_outside(number, count, 0, std::numeric_limits<Index>::max());
        fail(ErrorKind::Runtime, "bincount only supports 1-d non-negative integral inputs, got ",
             number[wrong], " at position ", wrong);
    }
    const Index largest = extreme(Reduction::Max);
    const Dims shape{std::max(largest + 1, minlength)};
    if (!weights) return count_numbers(number, count, shape);
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

// For each of n values the first place of a sorted row for which before(element, value) no longer
// holds. Without branches on the data, which nothing could predict, and several values at once,
// since each step of a search waits for the one before.
template <Index n, class T, class Before>
void first_places(const T* row, const Index* order, Index length, const T* value, Index* found,
                  Before before) {
    Index rest[n];
    std::fill_n(found, n, Index(0));
    std::fill_n(rest, n, length);
    for (Index longest = length; longest > 0; longest /= 2) {
        for (Index k = 0; k < n; ++k) {
            // A search that is done stays where it is.
            const Index half = rest[k] / 2, middle = std::min(found[k] + half, length - 1);
            const Index there = order ? order[middle] : middle;
            const Index further = Index(rest[k] > 0) &
                                  Index(before(Compute<T>(row[there]), Compute<T>(value[k])));
            found[k] += -further & (half + 1);
            rest[k] = half - (further & ~rest[k] & 1);  // further: rest - half - 1
        }
    }
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
    const DType places = out_int32 ? DType::I32 : DType::I64;
    if (values.is_meta()) return Array::meta(values.shape(), places);
    const Array result = Array::empty(values.shape(), places);
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
                    constexpr Index kTogether = 8;
                    Index found[kTogether];
                    for (Index i = begin; i < end;) {
                        const Index row = i / per_row, base = row * length;
                        const Index* order_of_row = place ? place + base : nullptr;
                        const bool together =
                            i + kTogether <= std::min(end, (row + 1) * per_row);
                        if (together) {
                            first_places<kTogether>(in + base, order_of_row, length, value + i,
                                                    found, before);
                        } else {
                            first_places<1>(in + base, order_of_row, length, value + i, found,
                                            before);
                        }
                        for (Index k = 0; k < (together ? kTogether : 1); ++k, ++i) {
                            if (out_int32) {
                                result.data<std::int32_t>()[i] = std::int32_t(found[k]);
                            } else {
                                result.data<Index>()[i] = found[k];
                            }
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
