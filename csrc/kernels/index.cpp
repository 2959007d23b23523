// Advanced indexing: x[indices], x[indices] = values, x[indices] += values.
#include "kernels/index.h"

#include <utility>

#include "bind/casters.h"
#include "elementwise/pending.h"
#include "kernels/mask.h"

namespace rushlight {

namespace {

using Indices = std::vector<std::optional<Array>>;

constexpr double kSecondsPerByte = 2e-10;
constexpr Index kLongRun = 16;  // elements from which on a row is worth a call

bool is_mask(const Array& index) {
    return index.dtype() == DType::Bool || index.dtype() == DType::U8;
}

// The places where a mask over axes [axis, axis + mask.ndim()) of x is set.
Pick pick_mask(const Array& x, int axis, const Array& mask) {
    Pick pick{axis, mask.ndim(), {}, {}};
    const Mask places(mask);
    pick.shape = {places.count()};
    pick.offsets.resize(std::size_t(places.count()));
    if (places.count() == 0) return pick;
    const int last = axis + mask.ndim() - 1;
    const std::vector<Index> rows =
        element_offsets(span_of(x.shape(), axis, last), span_of(x.strides(), axis, last));
    const Index width = x.size(last), step = x.stride(last);
    for_ranges(mask.numel(), kMaskBlock, 1e-9, [&](Index begin, Index end) {
        const std::size_t block = std::size_t(begin / kMaskBlock);
        Index* out = pick.offsets.data() + places.before[block];
        const Index* stop = pick.offsets.data() + places.before[block + 1];
        for (Index i = begin; i < end;) {
            const Index row = i / width, base = rows[std::size_t(row)] - row * width * step;
            const Index row_end = std::min(end, (row + 1) * width);
            for (; i < row_end && out < stop; ++i) {
                *out = base + i * step;  // stays only if the flag is set
                out += places.flag[i] != 0;
            }
            i = row_end;
        }
    });
    return pick;
}

Pick pick_integers(const Array& x, int axis, const Array& index) {
    const Array positions = as_index(index);
    const Index size = x.size(axis);
    check_as(ErrorKind::Index, size > 0 || positions.numel() == 0,
             "index is out of bounds for dimension with size 0");
    if (positions.is_meta()) return pick_along(x, axis, positions);
    const auto* position = positions.data<Index>();
    const Index wrong = find_outside(position, positions.numel(), -size, size);
    if (wrong >= 0 && x.numel() > 0) {  // nothing is read from an empty tensor
        fail(ErrorKind::Index, "index ", position[wrong], " is out of bounds for dimension ", axis,
             " with size ", size);
    }
    return pick_along(x, axis, positions);
}

// The mask over all axes of x that is the one index, or null.
const Array* whole_mask(const Dims& shape, const Indices& indices) {
    if (indices.size() != 1 || !indices[0] || !is_mask(*indices[0])) return nullptr;
    return indices[0]->shape() == shape && !shape.empty() ? &*indices[0] : nullptr;
}

PickPlan plan_indices(const Array& x, const Indices& indices) {
    std::vector<Pick> picks;
    int axis = 0;
    for (std::size_t i = 0; i < indices.size(); ++i) {
        const int axes = indices[i] && is_mask(*indices[i]) ? indices[i]->ndim() : 1;
        check_as(ErrorKind::Index, axes > 0,
                 "a 0-dim mask as an index: unsqueeze the tensor and the mask first");
        check_as(ErrorKind::Index, axis + axes <= x.ndim(),
                 "too many indices for tensor of dimension ", x.ndim());
        if (indices[i]) {
            const Array& index = *indices[i];
            check_as(ErrorKind::Index,
                     is_mask(index) || index.dtype() == DType::I64 || index.dtype() == DType::I32,
                     "tensors used as indices must be long, int, byte or bool tensors, got ",
                     name_of(index.dtype()), " at position ", i);
            if (is_mask(index)) {
                for (int d = 0; d < axes; ++d) {
                    check_as(ErrorKind::Index, index.size(d) == x.size(axis + d),
                             "The shape of the mask ", index.shape(), " at index ", d,
                             " does not match the shape of the indexed tensor ", x.shape(),
                             " at index ", axis + d);
                }
                picks.push_back(pick_mask(x, axis, index));
            } else {
                picks.push_back(pick_integers(x, axis, index));
            }
        }
        axis += axes;
    }
    return plan_picks(x, std::move(picks));
}

// Adds the offsets of a pick, broadcast to `shape`, to `picked`.
void add_offsets(std::vector<Index>& picked, const Dims& shape, const Pick& pick) {
    if (pick.shape == shape) {
        for (std::size_t i = 0; i < picked.size(); ++i) picked[i] += pick.offsets[i];
        return;
    }
    Dims strides(shape.size());
    const int missing = shape.size() - pick.shape.size();
    Index stride = 1;
    for (int d = pick.shape.size() - 1; d >= 0; --d) {
        if (pick.shape[d] != 1) strides[missing + d] = stride;
        stride *= pick.shape[d];
    }
    const std::vector<Index> at = element_offsets(shape, strides);
    for (std::size_t i = 0; i < picked.size(); ++i) picked[i] += pick.offsets[std::size_t(at[i])];
}

template <class T>
void accumulate_one(T& to, T from) {
    if constexpr (std::is_same_v<T, bool>) {
        to = to || from;
    } else {
        using C = Compute<T>;
        to = T(sum_of(C(to), C(from)));
    }
}

// Positions of `picked` grouped so that rows that meet in one place share a group, each group in
// rising order.
struct Groups {
    std::vector<Index> order;
    std::vector<Index> starts;
};

Groups group_by_place(const std::vector<Index>& picked, int log2_groups) {
    const auto group_of = [&](Index offset) {
        return (std::uint64_t(offset) * 0x9e3779b97f4a7c15u) >> (64 - log2_groups);
    };
    Groups groups{std::vector<Index>(picked.size()),
                  std::vector<Index>((std::size_t(1) << log2_groups) + 1, 0)};
    for (Index offset : picked) ++groups.starts[group_of(offset) + 1];
    for (std::size_t g = 1; g < groups.starts.size(); ++g) groups.starts[g] += groups.starts[g - 1];
    std::vector<Index> next = groups.starts;
    for (std::size_t b = 0; b < picked.size(); ++b) {
        groups.order[std::size_t(next[group_of(picked[b])]++)] = Index(b);
    }
    return groups;
}

// write(to, from, count) moves `count` elements that lie side by side on both ends, or, with
// `from_step` 0, one value to all.
template <class T, class Write>
void write_each(T* x, const PickPlan& plan, const T* values, Index from_step, Write write) {
    const Index picked = Index(plan.picked.size()), after = Index(plan.after.size());
    const Index run = plan.run, row = after * run;
    const auto write_row = [&](Index p, Index b) {
        if (plan.picked[std::size_t(b)] < 0) return;
        T* base = x + plan.before[std::size_t(p)] + plan.picked[std::size_t(b)];
        const T* from = values + (p * picked + b) * row * from_step;
        for (Index a = 0; a < after; ++a) {
            write(base + plan.after[std::size_t(a)], from + a * run * from_step, run);
        }
    };
    const Index before = Index(plan.before.size());
    const auto write_rows = [&](Index p) {
        if (row != 1) {
            for (Index b = 0; b < picked; ++b) write_row(p, b);
            return;
        }
        T* base = x + plan.before[std::size_t(p)];
        const T* from = values + p * picked * from_step;
        const Index* place = plan.picked.data();
        for (Index b = 0; b < picked; ++b, from += from_step) {
            if (place[b] >= 0) write(base + place[b], from, 1);
        }
    };
    const double seconds_per_row = double(row) * sizeof(T) * kSecondsPerByte + 3e-9;
    const Index rows = before * picked;
    // To group the places takes longer than to write a few bytes to each.
    constexpr double kSecondsToGroup = 12e-9;
    if (before >= 8 || seconds_per_row < kSecondsToGroup ||
        double(rows) * seconds_per_row < 1e-4 || picked < 64) {
        for_ranges(before, grain_for(picked * row), seconds_per_row * double(picked),
                   [&](Index begin, Index end) {
                       for (Index p = begin; p < end; ++p) write_rows(p);
                   });
        return;
    }
    constexpr int kLog2Groups = 5;
    const Groups groups = group_by_place(plan.picked, kLog2Groups);
    parallel_for(Index(1) << kLog2Groups, double(rows >> kLog2Groups) * seconds_per_row,
                 [&](Index group) {
                     for (Index p = 0; p < before; ++p) {
                         for (Index i = groups.starts[std::size_t(group)];
                              i < groups.starts[std::size_t(group) + 1]; ++i) {
                             write_row(p, groups.order[std::size_t(i)]);
                         }
                     }
                 });
}

// The values of a write as write_picks wants them.
Array fit_values(std::string_view what, const Array& x, const Array& values, const Dims& shape) {
    check(values.dtype() == x.dtype(), what, ": the values have dtype ", name_of(values.dtype()),
          " but the tensor that is written to has ", name_of(x.dtype()),
          "; convert the values with .to(...)");
    const bool shared = &values.storage() == &x.storage();
    if (values.numel() == 1 && values.ndim() <= shape.size())
        return shared ? clone(values) : values;
    bool fits = values.ndim() <= shape.size();
    for (int d = 1; fits && d <= values.ndim(); ++d) {
        const Index size = values.size(values.ndim() - d);
        fits = size == 1 || size == shape[shape.size() - d];
    }
    check(fits, "shape mismatch: value tensor of shape ", values.shape(),
          " cannot be broadcast to indexing result of shape ", shape);
    const Array full = contiguous(values.shape() == shape ? values : values.expand(shape));
    return shared && full.same_geometry(values) ? clone(full) : full;
}

}  // namespace

Pick pick_along(const Array& x, int axis, const Array& index) {
    if (index.is_meta()) return {axis, 1, index.shape(), {}};
    const auto* position = index.data<Index>();
    const Index size = lane_size(x, axis), stride = lane_stride(x, axis);
    Pick pick{axis, 1, index.shape(), std::vector<Index>(std::size_t(index.numel()))};
    Index* offset = pick.offsets.data();
    for (Index i = 0; i < index.numel(); ++i) {
        offset[i] = (position[i] < 0 ? position[i] + size : position[i]) * stride;
    }
    return pick;
}

PickPlan plan_picks(const Array& x, std::vector<Pick> picks) {
    PickPlan plan;
    // The shape of the picks together, and whether they are neighbours.
    Dims picked_shape;
    bool neighbours = true;
    Dims is_picked(x.ndim(), 0);
    bool shape_alone = x.is_meta();  // no places are wanted, or known
    for (std::size_t i = 0; i < picks.size(); ++i) {
        const Pick& pick = picks[i];
        shape_alone |= Index(pick.offsets.size()) != pick.shape.product();
        for (int d = 0; d < pick.axes && d < x.ndim(); ++d) is_picked[pick.axis + d] = 1;
        if (i > 0 && picks[i - 1].axis + picks[i - 1].axes != pick.axis) neighbours = false;
    }
    if (picks.size() == 1) {
        picked_shape = picks[0].shape;
        plan.picked = std::move(picks[0].offsets);
    } else if (picks.size() > 1) {
        try {
            for (const Pick& pick : picks) {
                picked_shape = broadcast_shapes("index", picked_shape, pick.shape);
            }
        } catch (const Error&) {
            std::string shapes;
            for (const Pick& pick : picks)
                shapes += (shapes.empty() ? "" : ", ") + pick.shape.str();
            fail(ErrorKind::Index,
                 "shape mismatch: indexing tensors could not be broadcast together with shapes ",
                 shapes);
        }
        const Index count = checked_numel(picked_shape, sizeof(Index));
        plan.picked.assign(shape_alone ? 0 : std::size_t(count), 0);
        for (const Pick& pick : picks)
            if (!shape_alone) add_offsets(plan.picked, picked_shape, pick);
    } else {
        plan.picked.assign(1, 0);
    }

    // The other axes stand before or after the picked ones.
    const int split = picks.empty() || !neighbours ? 0 : picks[0].axis;
    Dims before_shape, before_strides, after_shape, after_strides;
    for (int d = 0; d < x.ndim(); ++d) {
        if (is_picked[d]) continue;
        (d < split ? before_shape : after_shape).push_back(x.size(d));
        (d < split ? before_strides : after_strides).push_back(x.stride(d));
    }
    for (Index size : before_shape) plan.shape.push_back(size);
    for (Index size : picked_shape) plan.shape.push_back(size);
    for (Index size : after_shape) plan.shape.push_back(size);
    if (shape_alone) return plan;
    // Trailing axes that lie side by side in memory make one run.
    int outer = after_shape.size();
    while (outer > 0 && (after_strides[outer - 1] == plan.run || after_shape[outer - 1] == 1)) {
        plan.run *= after_shape[--outer];
    }
    plan.before = element_offsets(span_of(before_shape, 0, before_shape.size()),
                                  span_of(before_strides, 0, before_strides.size()));
    plan.after = element_offsets(span_of(after_shape, 0, outer), span_of(after_strides, 0, outer));
    return plan;
}

Array read_picks(const Array& x, const PickPlan& plan) {
    Array result = Array::empty(plan.shape, x.dtype());
    if (result.nothing_to_compute()) return result;
    const Index before = Index(plan.before.size()), picked = Index(plan.picked.size());
    const Index after = Index(plan.after.size()), run = plan.run, row = after * run;
    dispatch_size(x.itemsize(), [&]<class T>() {
        const T* from = x.data<T>();
        T* to = result.data<T>();
        const Index* place = plan.picked.data();
        const auto rows = [&](Index p, Index first, Index last) {  // of one `before`
            const T* base = from + plan.before[std::size_t(p)];
            T* out = to + (p * picked + first) * row;
            if (row == 1) {
                for (Index b = first; b < last; ++b) *out++ = base[place[b]];
            } else if (after == 1) {
                for (Index b = first; b < last; ++b, out += run) {
                    copy_bytes(out, base + place[b], std::size_t(run) * sizeof(T));
                }
            } else if (run == 1) {
                for (Index b = first; b < last; ++b) {
                    for (Index offset : plan.after) *out++ = base[place[b] + offset];
                }
            } else {
                for (Index b = first; b < last; ++b) {
                    for (Index offset : plan.after) {
                        copy_bytes(out, base + place[b] + offset, std::size_t(run) * sizeof(T));
                        out += run;
                    }
                }
            }
        };
        const double seconds = double(row) * sizeof(T) * kSecondsPerByte + 1e-9;
        for_ranges(before * picked, grain_for(row), seconds, [&](Index begin, Index end) {
            for (Index p = begin / picked; begin < end; ++p) {
                const Index stop = std::min(end, (p + 1) * picked);
                rows(p, begin - p * picked, stop - p * picked);
                begin = stop;
            }
        });
    });
    return result;
}

void write_picks(const Array& x, const PickPlan& plan, const Array& values, bool accumulate) {
    if (plan.shape.product() == 0 || x.is_meta()) return;
    const bool one = values.numel() == 1 && plan.shape.product() != 1;
    const Index step = one ? 0 : 1;
    // The loops of pointwise operations, where rows are as registers are and long.
    const DType dtype = x.dtype();
    const bool vectors = plan.run >= kLongRun && dtype != DType::Bool &&
                         size_of(dtype) == reg_size(reg_of(dtype));
    if (!accumulate) {
        dispatch_size(x.itemsize(), [&]<class T>() {
            const auto write = [&](auto to_row) {
                write_each(x.data<T>(), plan, values.data<T>(), step, to_row);
            };
            if (one && vectors) {
                const LoadLoop fill = loops().load[int(dtype)];
                write([fill](T* to, const T* from, Index n) {
                    fill(to, reinterpret_cast<const std::byte*>(from), 0, n);
                });
            } else if (one) {
                write([](T* to, const T* from, Index n) { std::fill_n(to, n, *from); });
            } else {
                write([](T* to, const T* from, Index n) {
                    copy_bytes(to, from, std::size_t(n) * sizeof(T));
                });
            }
        });
        return;
    }
    dispatch_modular(dtype, [&]<class T>() {
        const auto write = [&](auto to_row) {
            write_each(x.data<T>(), plan, values.data<T>(), step, to_row);
        };
        if (one) {
            write([](T* to, const T* from, Index n) {
                const T value = *from;
                for (Index i = 0; i < n; ++i) accumulate_one(to[i], value);
            });
        } else if (vectors) {
            static const int row = row_named("add");
            const PointwiseLoop add = loops().pointwise[row][int(reg_of(dtype))];
            write([add](T* to, const T* from, Index n) {
                const void* sources[2] = {to, from};
                add(to, sources, n);
            });
        } else {
            write([](T* __restrict to, const T* __restrict from, Index n) {
                for (Index i = 0; i < n; ++i) accumulate_one(to[i], from[i]);
            });
        }
    });
}

namespace {

Array index_get(const Array& x, const Indices& indices) {
    x.storage();
    if (const Array* mask = whole_mask(x.shape(), indices)) return pack_masked(x, Mask(*mask));
    return read_picks(x, plan_indices(x, indices));
}

// x[mask] = values: one value for all, or as many as the mask picks.
void put_masked(const Array& x, const Array& mask, const Array& values) {
    if (values.numel() == 1 && values.ndim() <= 1 && values.dtype() == x.dtype()) {
        const Array value = fit_values("index_put_", x, values, values.shape());
        value.storage();
        prepare_write(x);
        fill_masked(x, mask, value);
        return;
    }
    const Mask places(&mask.storage() == &x.storage() ? clone(mask) : mask);
    const Array fitted = fit_values("index_put_", x, values, Dims{places.count()});
    prepare_write(x);
    spread_masked(x, places, fitted, false);
}

Array index_put_(const Array& x, const Indices& indices, const Array& values, bool accumulate) {
    check_writable("index_put_", x);
    x.storage();
    if (const Array* mask = whole_mask(x.shape(), indices); mask && !accumulate) {
        put_masked(x, *mask, values);
        return x;
    }
    const PickPlan plan = plan_indices(x, indices);
    const Array fitted = fit_values("index_put_", x, values, plan.shape);
    prepare_write(x);
    write_picks(x, plan, fitted, accumulate);
    return x;
}

// The gradient of index_get: zeros of the input's shape plus the rows of grad at their places.
Array index_get_backward(const Array& grad, const Dims& shape, const Indices& indices) {
    if (const Array* mask = whole_mask(shape, indices)) {
        const Mask places(*mask);
        const Array result = Array::empty(shape, grad.dtype());
        spread_masked(result, places, fit_values("index", result, grad, Dims{places.count()}),
                      true);
        return result;
    }
    const bool half = is_half(grad.dtype());  // sums of halves run in float
    const Array summed = half ? cast(grad, DType::F32) : grad;
    const Array result = Array::zeros(shape, summed.dtype());
    result.storage();
    const PickPlan plan = plan_indices(result, indices);
    write_picks(result, plan, fit_values("index", result, summed, plan.shape), true);
    return half ? cast(result, grad.dtype()) : result;
}

}  // namespace

void bind_index(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("index_get", &index_get, "x"_a, "indices"_a);
    m.def("index_put_", &index_put_, "x"_a, "indices"_a, "values"_a, "accumulate"_a = false);
    m.def("index_get_backward", &index_get_backward, "grad"_a, "shape"_a, "indices"_a);
}

}  // namespace rushlight
