// Lookups along one axis: gather and scatter, index_select/add/copy/fill, take/put, embeddings.
#include <algorithm>
#include <cmath>
#include <limits>

#include "bind/casters.h"
#include "kernels/index.h"

namespace rushlight {

namespace {

enum class Reduce { None, Sum, Prod, Mean, Max, Min };

Reduce reduce_from(std::string_view what, std::string_view name) {
    if (name == "none") return Reduce::None;
    if (name == "sum") return Reduce::Sum;
    if (name == "prod") return Reduce::Prod;
    if (name == "mean") return Reduce::Mean;
    if (name == "amax") return Reduce::Max;
    if (name == "amin") return Reduce::Min;
    fail(ErrorKind::Runtime, what, ": reduce must be one of sum, prod, mean, amax or amin, got ",
         name);
}

void check_index_dtype(std::string_view what, const Array& index) {
    check(index.dtype() == DType::I64 || index.dtype() == DType::I32, what,
          ": expected an index of dtype int64 or int32, got ", name_of(index.dtype()));
}

void check_long(std::string_view what, const Array& index) {
    check(index.dtype() == DType::I64, what, ": expected an index of dtype int64, got ",
          name_of(index.dtype()));
}

void check_same_dtype(std::string_view what, const Array& x, const Array& source) {
    check(x.dtype() == source.dtype(), what, ": the input has dtype ", name_of(x.dtype()),
          " but the source has ", name_of(source.dtype()), "; they must be the same");
}

void check_range(std::string_view what, ErrorKind kind, const Array& index, Index low, Index high,
                 int axis) {
    if (index.is_meta()) return;
    const auto* position = index.data<Index>();
    const Index wrong = find_outside(position, index.numel(), low, high);
    if (wrong >= 0) {
        fail(kind, what, ": index ", position[wrong], " is out of bounds for dimension ", axis,
             " with size ", high);
    }
}

// A source that a write in place reads: a copy if it shares memory with the destination.
Array apart_from(const Array& x, const Array& source) {
    return &x.storage() == &source.storage() ? clone(source) : source;
}

// --- gather ----------------------------------------------------------------------------------

// The leading and trailing offsets of an index's places in an array that is walked along `axis`.
struct LaneTables {
    LaneTables(const Array& x, const Dims& shape, int axis)
        : outer(element_offsets(span_of(shape, 0, axis), span_of(x.strides(), 0, axis))),
          inner(shape.empty() ? std::vector<Index>(1, 0)
                              : element_offsets(span_of(shape, axis + 1, shape.size()),
                                                span_of(x.strides(), axis + 1, shape.size()))),
          stride(lane_stride(x, axis)) {}
    std::vector<Index> outer, inner;
    Index stride;
};

// A 0-dim tensor counts as one of shape [1].
Array at_least_1d(const Array& x) { return x.ndim() ? x : x.unsqueeze(0); }

// `sparse_grad` is PyTorch's and changes nothing here.
Array gather(const Array& input, Index dim, const Array& indices, bool /*sparse_grad*/) {
    const int axis = lane_axis("gather", dim, input);
    if (indices.numel() == 0) return Array::empty(indices.shape(), input.dtype());
    check_index_dtype("gather", indices);
    const Array x = at_least_1d(input), index = as_index(at_least_1d(indices));
    check(x.ndim() == index.ndim(),
          "gather: the index must have as many dimensions as the input, got ", index.shape(),
          " for an input of shape ", x.shape());
    for (int d = 0; d < x.ndim(); ++d) {
        check(d == axis || index.size(d) <= x.size(d), "gather: Size does not match at dimension ",
              d, " expected index ", index.shape(), " to be no larger than self ", x.shape(),
              " apart from dimension ", axis);
    }
    check_range("gather", ErrorKind::Runtime, index, 0, x.size(axis), axis);
    const Array result = Array::empty(indices.shape(), x.dtype());
    if (result.is_meta()) return result;
    const LaneTables at(x, index.shape(), axis);
    const Lanes lanes = lanes_of(index.shape(), axis);
    const auto* position = index.data<Index>();
    dispatch_size(x.itemsize(), [&]<class T>() {
        const T* from = x.data<T>();
        T* to = result.data<T>();
        if (lanes.inner == 1) {
            for_ranges(lanes.outer, grain_for(lanes.length), 1e-9 * double(lanes.length),
                       [&](Index begin, Index end) {
                           for (Index o = begin; o < end; ++o) {
                               const T* base = from + at.outer[std::size_t(o)];
                               const Index* place = position + o * lanes.length;
                               T* out = to + o * lanes.length;
                               for (Index l = 0; l < lanes.length; ++l) {
                                   out[l] = base[place[l] * at.stride];
                               }
                           }
                       });
            return;
        }
        for_ranges(lanes.outer * lanes.length, grain_for(lanes.inner), 1e-9 * double(lanes.inner),
                   [&](Index begin, Index end) {
                       for (Index row = begin; row < end; ++row) {
                           const T* base = from + at.outer[std::size_t(row / lanes.length)];
                           const Index* place = position + row * lanes.inner;
                           T* out = to + row * lanes.inner;
                           for (Index i = 0; i < lanes.inner; ++i) {
                               out[i] = base[place[i] * at.stride + at.inner[std::size_t(i)]];
                           }
                       }
                   });
    });
    return result;
}

// --- scatter ---------------------------------------------------------------------------------

template <class T>
bool takes_over(T candidate, T best, bool largest) {  // NaN wins
    if constexpr (is_complex_type<T>) {
        return false;
    } else {
        if (is_nan(best)) return false;
        return is_nan(candidate) || (largest ? candidate > best : candidate < best);
    }
}

// One step of a reduction, as a type so that each makes its own loop.
template <Reduce R>
struct Step {
    template <class T>
    static void apply(T& to, T from) {
        using C = Compute<T>;
        if constexpr (R == Reduce::None) {
            to = from;
        } else if constexpr (std::is_same_v<T, bool>) {
            to = R == Reduce::Prod || R == Reduce::Min ? to && from : to || from;
        } else if constexpr (R == Reduce::Sum || R == Reduce::Mean) {
            to = T(sum_of(C(to), C(from)));
        } else if constexpr (R == Reduce::Prod) {
            to = T(product_of(C(to), C(from)));
        } else if (takes_over(C(from), C(to), R == Reduce::Max)) {
            to = from;
        }
    }
};

// Calls with the C++ type and the reduction; with as few types as the reduction tells apart.
template <class F>
void dispatch_reduce(DType dtype, Reduce reduce, F&& f) {
    const auto any_order = [&]<Reduce R>() {
        dispatch_modular(dtype, [&]<class T>() { f.template operator()<T, R>(); });
    };
    const auto ordered = [&]<Reduce R>() {
        dispatch(dtype, [&]<class T>() {
            if constexpr (!is_complex_type<T>) f.template operator()<T, R>();
        });
    };
    switch (reduce) {
        case Reduce::None:
            return dispatch_size(size_of(dtype), [&]<class T>() {
                f.template operator()<T, Reduce::None>();
            });
        case Reduce::Sum:
        case Reduce::Mean: return any_order.template operator()<Reduce::Sum>();
        case Reduce::Prod: return any_order.template operator()<Reduce::Prod>();
        case Reduce::Max: return ordered.template operator()<Reduce::Max>();
        case Reduce::Min: return ordered.template operator()<Reduce::Min>();
    }
}

// The value that a reduction starts from when the destination does not take part.
template <class T>
T identity_of(Reduce reduce) {
    if (reduce == Reduce::Prod) return convert<T>(1);
    if (reduce != Reduce::Max && reduce != Reduce::Min) return T{};
    const bool lowest = reduce == Reduce::Max;
    if constexpr (is_complex_type<T>) {
        return T{};
    } else if constexpr (is_half_type<T>) {
        return T(lowest ? -std::numeric_limits<float>::infinity()
                        : std::numeric_limits<float>::infinity());
    } else if constexpr (std::is_floating_point_v<T>) {
        return lowest ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::infinity();
    } else {
        return lowest ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max();
    }
}

Array identity_of(Reduce reduce, DType dtype) {
    const Array value = Array::empty(Dims{}, dtype);
    dispatch(dtype, [&]<class T>() { *value.data<T>() = identity_of<T>(reduce); });
    return value;
}

// step(x place, source place) for every place of the index; those that can meet in one place come
// in the order of the index along the axis.
template <class Visit>
void for_each_scatter(const Lanes& lanes, const Index* position, const LaneTables& to,
                      const LaneTables& from, Visit visit) {
    const auto lane_block = [&](Index o, Index begin, Index end) {
        if (lanes.inner == 1) {
            const Index* place = position + o * lanes.length;
            const Index x_base = to.outer[std::size_t(o)], s_base = from.outer[std::size_t(o)];
            const Index x_step = to.stride, s_step = from.stride, length = lanes.length;
            for (Index l = 0; l < length; ++l) {
                visit(x_base + place[l] * x_step, s_base + l * s_step);
            }
            return;
        }
        for (Index l = 0; l < lanes.length; ++l) {
            const Index* place = position + (o * lanes.length + l) * lanes.inner;
            const Index x_base = to.outer[std::size_t(o)];
            const Index s_base = from.outer[std::size_t(o)] + l * from.stride;
            for (Index i = begin; i < end; ++i) {
                visit(x_base + place[i] * to.stride + to.inner[std::size_t(i)],
                      s_base + from.inner[std::size_t(i)]);
            }
        }
    };
    if (lanes.outer > 1) {
        const Index work = lanes.length * lanes.inner;
        for_ranges(lanes.outer, grain_for(work), 2e-9 * double(work), [&](Index begin, Index end) {
            for (Index o = begin; o < end; ++o) lane_block(o, 0, lanes.inner);
        });
    } else {
        const Index grain = std::max<Index>(64, grain_for(lanes.length));
        for_ranges(lanes.inner, grain, 2e-9 * double(lanes.length),
                   [&](Index begin, Index end) { lane_block(0, begin, end); });
    }
}

// x[place] /= how many values were added there, as PyTorch does it (integers round down).
void divide_by_counts(const Array& x, const std::vector<Index>& place_of, const Array& counts) {
    const auto* count = counts.data<Index>();
    dispatch(x.dtype(), [&]<class T>() {
        if constexpr (std::is_same_v<T, bool>) {
            fail(ErrorKind::NotImplemented, "scatter_reduce: mean of booleans");
        } else {
            T* value = x.data<T>();
            for (std::size_t i = 0; i < place_of.size(); ++i) {
                T& mean = value[place_of[i]];
                const Index n = count[i];
                if (n <= 1) continue;
                if constexpr (std::is_unsigned_v<T>) {
                    mean = T(mean / std::uint64_t(n));
                } else if constexpr (std::is_integral_v<T>) {
                    const Index sum = Index(mean), quotient = sum / n;
                    mean = T(quotient - (sum % n != 0 && (sum < 0)));
                } else if constexpr (is_complex_type<T>) {
                    mean = mean / convert<T>(double(n));
                } else {
                    mean = T(Compute<T>(mean) / Compute<T>(n));
                }
            }
        }
    });
}

void check_scatter(std::string_view what, const Array& x, int axis, const Array& index,
                   const Array& source) {
    check(x.ndim() == index.ndim(), what,
          ": the index must have as many dimensions as the input, got an index of shape ",
          index.shape(), " for an input of shape ", x.shape());
    check(source.ndim() == index.ndim(), what,
          ": the index must have as many dimensions as src, got an index of shape ", index.shape(),
          " for a src of shape ", source.shape());
    for (int d = 0; d < x.ndim(); ++d) {
        const bool fits =
            (d == axis || index.size(d) <= x.size(d)) && index.size(d) <= source.size(d);
        check(fits, what, ": Expected index ", index.shape(), " to be no larger than self ",
              x.shape(), " apart from dimension ", axis, " and to be no larger size than src ",
              source.shape());
    }
    check_range(what, ErrorKind::Runtime, index, 0, x.size(axis), axis);
}

void scatter_into(std::string_view what, const Array& destination, Index dim, const Array& indices,
                  const Array& values, Reduce reduce, bool include_self) {
    const int axis = lane_axis(what, dim, destination);
    if (indices.numel() == 0) return;
    check_index_dtype(what, indices);
    check_same_dtype(what, destination, values);
    check_as(ErrorKind::NotImplemented,
             !is_complex(destination.dtype()) || (reduce != Reduce::Max && reduce != Reduce::Min),
             what, ": amax and amin of complex numbers are not defined");
    check_as(ErrorKind::NotImplemented,
             destination.dtype() != DType::Bool || reduce != Reduce::Mean, what,
             ": mean of booleans is not defined");
    check_writable(what, destination);
    const Array x = at_least_1d(destination), index = as_index(at_least_1d(indices));
    const Array source = apart_from(x, at_least_1d(values));
    check_scatter(what, x, axis, index, source);
    if (x.is_meta()) return prepare_write(destination);
    const LaneTables to(x, index.shape(), axis), from(source, index.shape(), axis);
    const Lanes lanes = lanes_of(index.shape(), axis);
    const auto* position = index.data<Index>();
    source.storage();
    prepare_write(destination);
    if (!include_self && reduce != Reduce::None) {
        const Array start = identity_of(reduce, x.dtype());
        dispatch_size(x.itemsize(), [&]<class T>() {
            T* out = x.data<T>();
            const T value = *start.data<T>();
            for_each_scatter(lanes, position, to, from,
                             [=](Index place, Index) { out[place] = value; });
        });
    }
    dispatch_reduce(x.dtype(), reduce, [&]<class T, Reduce R>() {
        T* out = x.data<T>();
        const T* in = source.data<T>();
        for_each_scatter(lanes, position, to, from,
                         [=](Index place, Index at) { Step<R>::apply(out[place], in[at]); });
    });
    if (reduce != Reduce::Mean) return;
    const Array counts = Array::full(x.shape(), DType::I64, Scalar(std::int64_t(include_self)));
    auto* count = counts.data<Index>();
    const LaneTables count_at(counts, index.shape(), axis);
    for_each_scatter(lanes, position, count_at, from, [=](Index place, Index) { ++count[place]; });
    divide_by_counts(x, element_offsets(x.shape(), x.strides()), counts);
}

Array scatter_(const Array& x, Index dim, const Array& index, const Array& source,
               const std::string& reduce, bool include_self) {
    scatter_into("scatter", x, dim, index, source, reduce_from("scatter", reduce), include_self);
    return x;
}

void check_scalar(std::string_view what, const Array& x, const Scalar& value) {
    check(value.category() < 3 || is_complex(x.dtype()), what,
          ": a complex value cannot be written to a tensor of dtype ", name_of(x.dtype()));
}

Array scatter_value_(const Array& x, Index dim, const Array& index, const Scalar& value,
                     const std::string& reduce) {
    check_scalar("scatter", x, value);
    const Array one = Array::scalar(value, x.dtype());
    const Dims ones(std::max(index.ndim(), 1), 1);
    const Dims shape = index.ndim() ? index.shape() : ones;
    scatter_into("scatter", x, dim, index, one.reshape(ones).expand(shape),
                 reduce_from("scatter", reduce), true);
    return x;
}

// --- whole rows: index_select and its kin ----------------------------------------------------

Array vector_index(std::string_view what, const Array& index) {
    check_as(ErrorKind::Index, index.ndim() <= 1, what, ": the index must be a vector, got shape ",
             index.shape());
    return as_index(at_least_1d(index));
}

PickPlan plan_along(const Array& x, int axis, const Array& index) {
    std::vector<Pick> picks;
    picks.push_back(pick_along(x, axis, index));
    return plan_picks(x, std::move(picks));
}

Array index_select(const Array& x, Index dim, const Array& index) {
    const int axis = lane_axis("index_select", dim, x);
    check_index_dtype("index_select", index);
    const Array positions = vector_index("index_select", index);
    check_range("index_select", ErrorKind::Index, positions, 0, lane_size(x, axis), axis);
    if (x.ndim() == 0) {
        check(positions.numel() == 1, "index_select: a 0-dim tensor takes one index, got ",
              positions.numel());
        return clone(x);
    }
    x.storage();
    return read_picks(x, plan_along(x, axis, positions));
}

// Shapes equal apart from the axis, and one index for each row of the source.
void check_rows(std::string_view what, ErrorKind kind, const Array& x, int axis, const Array& index,
                const Array& source) {
    bool equal = x.ndim() == source.ndim();
    for (int d = 0; equal && d < x.ndim(); ++d) equal = d == axis || x.size(d) == source.size(d);
    check(equal, what, ": the source must have the input's shape apart from dimension ", axis,
          ", got ", source.shape(), " for an input of shape ", x.shape());
    check_as(kind, index.numel() == lane_size(source, axis), what, ": Number of indices (",
             index.numel(), ") should be equal to source.size(dim): (", lane_size(source, axis),
             ")");
}

// x with an axis even if it is 0-dim, so that rows can be picked along it; shares x's memory.
void write_rows(const Array& x, int axis, const Array& index, const Array& source,
                bool accumulate) {
    const Array rows = at_least_1d(x);
    rows.storage();
    const PickPlan plan = plan_along(rows, axis, index);
    const Array values = contiguous(apart_from(x, source));
    values.storage();
    prepare_write(x);
    write_picks(rows, plan, values, accumulate);
}

Array scaled(const Array& source, const Scalar& alpha) {
    const Array copy = clone(source);
    if (copy.is_meta()) return copy;
    dispatch_modular(copy.dtype(), [&]<class T>() {
        T* value = copy.data<T>();
        if constexpr (std::is_same_v<T, bool>) {
            const bool keep = alpha.to<bool>();
            for (Index i = 0; i < copy.numel(); ++i) value[i] = value[i] && keep;
        } else {
            using C = Compute<T>;
            const C factor = alpha.to<C>();
            for (Index i = 0; i < copy.numel(); ++i) value[i] = T(product_of(C(value[i]), factor));
        }
    });
    return copy;
}

Array index_add_(const Array& x, Index dim, const Array& index, const Array& source,
                 const Scalar& alpha) {
    const int axis = lane_axis("index_add_", dim, x);
    check_index_dtype("index_add_", index);
    check_same_dtype("index_add_", x, source);
    check_scalar("index_add_", x, alpha);
    const Array positions = vector_index("index_add_", index);
    check_rows("index_add_", ErrorKind::Runtime, x, axis, positions, source);
    check_writable("index_add_", x);
    check_range("index_add_", ErrorKind::Runtime, positions, 0, lane_size(x, axis), axis);
    const bool plain = alpha.to<Complex128>() == Complex128(1);
    write_rows(x, axis, positions, plain ? source : scaled(source, alpha), true);
    return x;
}

Array index_copy_(const Array& x, Index dim, const Array& index, const Array& source) {
    const int axis = lane_axis("index_copy_", dim, x);
    check_long("index_copy_", index);
    check_same_dtype("index_copy_", x, source);
    const Array positions = vector_index("index_copy_", index);
    const Array rows = x.ndim() == 0 ? source.reshape(Dims{}) : at_least_1d(source);
    check_rows("index_copy_", ErrorKind::Index, x, axis, positions, rows);
    check_writable("index_copy_", x);
    check_range("index_copy_", ErrorKind::Index, positions, 0, lane_size(x, axis), axis);
    write_rows(x, axis, positions, rows, false);
    return x;
}

// Negative indices count from the end.
Array index_fill_(const Array& x, Index dim, const Array& index, const Scalar& value) {
    const int axis = lane_axis("index_fill_", dim, x);
    check_as(ErrorKind::Index, index.dtype() == DType::I64,
             "index_fill_: expected an index of dtype int64, got ", name_of(index.dtype()));
    check_scalar("index_fill_", x, value);
    check(index.ndim() <= 1, "index_fill_: the index must be a vector, got shape ", index.shape());
    const Array positions = as_index(at_least_1d(index));
    const Index size = lane_size(x, axis);
    check_range("index_fill_", ErrorKind::Index, positions, -size, size, axis);
    const Array rows = at_least_1d(x);
    rows.storage();
    const PickPlan plan = plan_along(rows, axis, positions);
    prepare_write(x);
    write_picks(rows, plan, Array::scalar(value, x.dtype()), false);
    return x;
}

// --- take and put: indices into the flattened tensor -------------------------------------------

Pick pick_flat(const Array& x, const Array& index) {
    const Index size = x.numel();
    if (index.is_meta()) return {0, x.ndim(), index.shape(), {}};
    const auto* position = index.data<Index>();
    const Index wrong = find_outside(position, index.numel(), -size, size);
    if (wrong >= 0) {
        fail(ErrorKind::Index, "out of range: tried to access index ", position[wrong],
             " on a tensor of ", size, " elements.");
    }
    Pick pick{0, x.ndim(), index.shape(), std::vector<Index>(std::size_t(index.numel()))};
    const bool packed = x.is_contiguous();
    for (Index i = 0; i < index.numel(); ++i) {
        Index flat = position[i] < 0 ? position[i] + size : position[i];
        Index offset = packed ? flat : 0;
        for (int d = x.ndim() - 1; !packed && d >= 0; --d) {
            offset += flat % x.size(d) * x.stride(d);
            flat /= x.size(d);
        }
        pick.offsets[std::size_t(i)] = offset;
    }
    return pick;
}

PickPlan plan_flat(const Array& x, const Array& index) {
    std::vector<Pick> picks;
    picks.push_back(pick_flat(x, index));
    return plan_picks(x, std::move(picks));
}

Array take(const Array& x, const Array& index) {
    check_long("take", index);
    check_as(ErrorKind::Index, x.numel() > 0 || index.numel() == 0,
             "take(): tried to take from an empty tensor");
    x.storage();
    return read_picks(x, plan_flat(x, as_index(index)));
}

Array put_(const Array& x, const Array& index, const Array& source, bool accumulate) {
    check_long("put_", index);
    check_same_dtype("put_", x, source);
    check_as(ErrorKind::Index, source.numel() == index.numel(),
             "put_: expected as many elements in source as in index, got ", source.numel(), " and ",
             index.numel());
    check_as(ErrorKind::Index, x.numel() > 0 || index.numel() == 0,
             "put_(): tried to put elements into an empty tensor");
    check_writable("put_", x);
    x.storage();
    const PickPlan plan = plan_flat(x, as_index(index));
    const Array values = contiguous(apart_from(x, source));
    values.storage();
    prepare_write(x);
    write_picks(x, plan, values, accumulate);
    return x;
}

// --- embedding -------------------------------------------------------------------------------

Array embedding_index(const Array& index, Index rows) {
    check(index.dtype() == DType::I64 || index.dtype() == DType::I32,
          "embedding: expected indices of dtype int64 or int32, got ", name_of(index.dtype()));
    const Array positions = as_index(index);
    if (positions.is_meta()) return positions;
    const auto* position = positions.data<Index>();
    const Index wrong = find_outside(position, positions.numel(), 0, rows);
    if (wrong >= 0) {
        fail(ErrorKind::Index, "embedding: index out of range in self: index ", position[wrong],
             " into a table of ", rows, " rows");
    }
    return positions;
}

// (V, D) and indices of shape S -> S + (D).
Array embedding(const Array& weight, const Array& index) {
    check(weight.ndim() == 2, "embedding: 'weight' must be 2-D, got shape ", weight.shape());
    const Array positions = embedding_index(index, weight.size(0));
    weight.storage();
    return read_picks(weight, plan_along(weight, 0, positions));
}

// The sum of the rows of grad at their indices: (num_weights, D). Rows at padding_idx (if it is not
// negative) count nothing; with scale_by_freq each sum is divided by how often its index occurs.
Array embedding_backward(const Array& grad, const Array& index, Index num_weights,
                         Index padding_idx, bool scale_by_freq) {
    const Array positions = embedding_index(index, num_weights);
    const bool half = is_half(grad.dtype());  // sums of halves run in float
    const Array rows = contiguous(half ? cast(grad, DType::F32) : grad);
    const Index width = grad.ndim() ? grad.shape().back() : 1;
    check(rows.numel() == positions.numel() * width, "embedding_backward: a gradient of shape ",
          grad.shape(), " does not belong to indices of shape ", index.shape());
    const Array result = Array::zeros(Dims{num_weights, width}, rows.dtype());
    if (result.is_meta()) return half ? cast(result, grad.dtype()) : result;
    result.storage();
    PickPlan plan = plan_along(result, 0, positions);
    const auto* position = positions.data<Index>();
    for (Index i = 0; padding_idx >= 0 && i < positions.numel(); ++i) {
        if (position[i] == padding_idx) plan.picked[std::size_t(i)] = -1;
    }
    rows.storage();
    write_picks(result, plan, rows, true);
    if (scale_by_freq) {
        std::vector<Index> counts(std::size_t(num_weights), 0);
        for (Index i = 0; i < positions.numel(); ++i) ++counts[std::size_t(position[i])];
        dispatch_real("embedding_backward", result.dtype(), [&]<class T>() {
            T* row = result.data<T>();
            for (Index v = 0; v < num_weights; ++v, row += width) {
                if (counts[std::size_t(v)] <= 1) continue;
                for (Index d = 0; d < width; ++d) row[d] /= T(counts[std::size_t(v)]);
            }
        });
    }
    return half ? cast(result, grad.dtype()) : result;
}

// Scales the rows that `index` visits down to a norm of max_norm at most, in place.
Array embedding_renorm_(const Array& weight, const Array& index, double max_norm,
                        double norm_type) {
    check(weight.ndim() == 2, "embedding_renorm_: 'weight' must be 2-D, got shape ",
          weight.shape());
    const Array positions = embedding_index(index, weight.size(0));
    if (weight.is_meta()) return weight;
    const auto* position = positions.data<Index>();
    std::vector<Index> visited(position, position + positions.numel());
    std::sort(visited.begin(), visited.end());
    visited.erase(std::unique(visited.begin(), visited.end()), visited.end());
    const Index width = weight.size(1), stride = weight.stride(1);
    weight.storage();
    prepare_write(weight);
    dispatch(weight.dtype(), [&]<class T>() {
        if constexpr (std::is_floating_point_v<Compute<T>>) {
            for (Index v : visited) {
                T* row = weight.data<T>() + v * weight.stride(0);
                double norm = 0;
                for (Index d = 0; d < width; ++d) {
                    const double magnitude = std::abs(double(Compute<T>(row[d * stride])));
                    if (std::isinf(norm_type)) {
                        norm = std::max(norm, magnitude);
                    } else {
                        norm +=
                            norm_type == 2 ? magnitude * magnitude : std::pow(magnitude, norm_type);
                    }
                }
                if (!std::isinf(norm_type)) norm = std::pow(norm, 1 / norm_type);
                if (!(norm > max_norm)) continue;
                const double scale = max_norm / (norm + 1e-7);
                for (Index d = 0; d < width; ++d) {
                    row[d * stride] = T(Compute<T>(double(Compute<T>(row[d * stride])) * scale));
                }
            }
        } else {
            fail(ErrorKind::NotImplemented,
                 "embedding_renorm_: expected a floating point weight, got ",
                 name_of(weight.dtype()));
        }
    });
    return weight;
}

}  // namespace

// Kernels whose names end in _ write to x and return it.
void bind_gather(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("gather", &gather, "x"_a, "dim"_a, "index"_a, "sparse_grad"_a = false);
    m.def("scatter_", &scatter_, "x"_a, "dim"_a, "index"_a, "src"_a, "reduce"_a = "none",
          "include_self"_a = true);
    m.def("scatter_value_", &scatter_value_, "x"_a, "dim"_a, "index"_a, "value"_a,
          "reduce"_a = "none");
    m.def("index_select", &index_select, "x"_a, "dim"_a, "index"_a);
    m.def("index_add_", &index_add_, "x"_a, "dim"_a, "index"_a, "source"_a, "alpha"_a);
    m.def("index_copy_", &index_copy_, "x"_a, "dim"_a, "index"_a, "source"_a);
    m.def("index_fill_", &index_fill_, "x"_a, "dim"_a, "index"_a, "value"_a);
    m.def("take", &take, "x"_a, "index"_a);
    m.def("put_", &put_, "x"_a, "index"_a, "source"_a, "accumulate"_a = false);
    m.def("embedding", &embedding, "weight"_a, "index"_a);
    m.def("embedding_backward", &embedding_backward, "grad"_a, "index"_a, "num_weights"_a,
          "padding_idx"_a = -1, "scale_by_freq"_a = false);
    m.def("embedding_renorm_", &embedding_renorm_, "weight"_a, "index"_a, "max_norm"_a,
          "norm_type"_a = 2.0);
}

}  // namespace rushlight
