// Choosing elements by their value: argmax and argmin, max and min with positions, nonzero,
// masked_select and masked_scatter.
#include "bind/casters.h"
#include "kernels/mask.h"

namespace rushlight {

namespace {

// --- extremes and where they are ---------------------------------------------------------------

// Whether a candidate that comes later takes the place of the best: NaN beats all, ties change
// nothing.
template <bool largest, class C>
bool beats(C candidate, C best) {
    if (is_nan(best)) return false;
    return is_nan(candidate) || (largest ? candidate > best : candidate < best);
}

// A half-precision number as an integer of the same order: -0 is 0, and NaN beats all.
template <bool largest, class T>
std::int16_t order_key(T value) {
    constexpr int kInfinity = std::is_same_v<T, Half> ? 0x7c00 : 0x7f80;
    const int bits = std::int16_t(value.bits);
    const int size = bits & 0x7fff, key = bits < 0 ? -size : size;
    return std::int16_t(size > kInfinity ? (largest ? 0x7fff : -0x7fff) : key);
}

// As below, for half-precision numbers: by their keys, which compare in vectors.
template <bool largest, class T>
Index extreme_of_halves(const T* in, Index length) {
    constexpr Index kLanes = 64, kBlock = 4096;
    Index best = 0;
    std::int16_t extreme = order_key<largest>(in[0]);
    const auto better = [](std::int16_t a, std::int16_t b) {
        return largest ? std::max(a, b) : std::min(a, b);
    };
    for (Index begin = 0; begin < length; begin += kBlock) {
        const Index end = std::min(length, begin + kBlock);
        std::int16_t lanes[kLanes], found = extreme;
        std::fill_n(lanes, kLanes, extreme);
        Index i = begin;
        for (; i + kLanes <= end; i += kLanes)
            for (Index k = 0; k < kLanes; ++k)
                lanes[k] = better(lanes[k], order_key<largest>(in[i + k]));
        for (; i < end; ++i) found = better(found, order_key<largest>(in[i]));
        for (const std::int16_t lane : lanes) found = better(found, lane);
        if (found == extreme) continue;
        extreme = found;
        for (best = begin; order_key<largest>(in[best]) != extreme;) ++best;
    }
    return best;
}

// First position of the extreme of a row that lies side by side.
template <bool largest, class T>
Index extreme_of_row(const T* in, Index length) {
    using C = Compute<T>;
    Index best = 0;
    if constexpr (is_half_type<T>) return extreme_of_halves<largest>(in, length);
    if constexpr (!is_half_type<T> && !std::is_same_v<T, bool>) {
        // Blocks first find their extreme with independent accumulators, then only the blocks that
        // improve on the best so far look for the position.
        constexpr Index kLanes = 64 / sizeof(T), kBlock = 4096;
        for (Index begin = 0; length >= 2 * kLanes && begin < length; begin += kBlock) {
            const Index end = std::min(length, begin + kBlock);
            T extreme[kLanes];
            std::fill_n(extreme, kLanes, in[begin]);
            bool any_nan = false;
            Index i = begin;
            for (; i + kLanes <= end; i += kLanes) {
                for (Index k = 0; k < kLanes; ++k) {
                    const T value = in[i + k];
                    extreme[k] =
                        (largest ? value > extreme[k] : value < extreme[k]) ? value : extreme[k];
                    if constexpr (std::is_floating_point_v<T>) any_nan |= value != value;
                }
            }
            T block_best = extreme[0];
            for (Index k = 1; k < kLanes; ++k) {
                if (largest ? extreme[k] > block_best : extreme[k] < block_best)
                    block_best = extreme[k];
            }
            for (; i < end; ++i) {
                if (is_nan(in[i])) any_nan = true;
                if (largest ? in[i] > block_best : in[i] < block_best) block_best = in[i];
            }
            if (any_nan) {
                while (!is_nan(in[begin])) ++begin;
                return begin;
            }
            if (begin > 0 && !(largest ? block_best > in[best] : block_best < in[best])) continue;
            for (best = begin; in[best] != block_best;) ++best;
        }
        if (length >= 2 * kLanes) return best;
    }
    for (Index i = 1; i < length; ++i) {
        if (beats<largest>(C(in[i]), C(in[best]))) best = i;
    }
    return best;
}

constexpr Index kLaneBlock = 256;  // lanes that are walked together

// Positions of the extremes of neighbouring lanes, `stride` between the elements of each.
template <bool largest, class T>
void extremes_of_lanes(const T* in, Index length, Index stride, Index lanes, Index* position) {
    using C = Compute<T>;
    // Counts as wide as the values, so that a vector of one matches a vector of the other.
    using Count = std::conditional_t<sizeof(C) == 8, std::int64_t, std::int32_t>;
    constexpr Index kPiece = Index(1) << 30;
    C best[kLaneBlock];
    Count best_at[kLaneBlock];
    for (Index i = 0; i < lanes; ++i) {
        best[i] = C(in[i]);
        position[i] = 0;
    }
    for (Index begin = 0; begin < length; begin += kPiece) {
        const Count count = Count(std::min(kPiece, length - begin));
        std::fill_n(best_at, lanes, Count(-1));
        for (Count l = 0; l < count; ++l) {
            const T* row = in + (begin + l) * stride;
            for (Index i = 0; i < lanes; ++i) {
                const C value = C(row[i]);
                bool takes;
                if constexpr (std::is_floating_point_v<C>) {  // without branches: NaN beats all
                    takes = !(largest ? value <= best[i] : value >= best[i]) & (best[i] == best[i]);
                } else {
                    takes = largest ? value > best[i] : value < best[i];
                }
                best[i] = takes ? value : best[i];
                best_at[i] = takes ? l : best_at[i];
            }
        }
        for (Index i = 0; i < lanes; ++i) {
            if (best_at[i] >= 0) position[i] = begin + best_at[i];
        }
    }
}

template <class F>
void dispatch_extreme(DType dtype, bool largest, F&& f) {
    dispatch(dtype, [&]<class T>() {
        if constexpr (!is_complex_type<T>) {
            if (largest) {
                f.template operator()<T, true>();
            } else {
                f.template operator()<T, false>();
            }
        }
    });
}

// The positions along an axis of a contiguous array, (outer, inner).
void extreme_positions(const Array& x, const Lanes& at, bool largest, Index* positions) {
    dispatch_extreme(x.dtype(), largest, [&]<class T, bool kLargest>() {
        const T* from = x.data<T>();
        if (at.inner == 1) {
            for_ranges(at.outer, grain_for(at.length), 5e-10 * double(at.length) + 2e-9,
                       [&](Index begin, Index end) {
                           for (Index o = begin; o < end; ++o) {
                               positions[o] =
                                   extreme_of_row<kLargest>(from + o * at.length, at.length);
                           }
                       });
            return;
        }
        const Index blocks = (at.inner + kLaneBlock - 1) / kLaneBlock;
        const Index work = at.length * std::min(at.inner, kLaneBlock);
        for_ranges(
            at.outer * blocks, grain_for(work), 1e-9 * double(work), [&](Index begin, Index end) {
                for (Index task = begin; task < end; ++task) {
                    const Index lane = task % blocks * kLaneBlock, outer = task / blocks;
                    extremes_of_lanes<kLargest>(
                        from + outer * at.length * at.inner + lane, at.length, at.inner,
                        std::min(kLaneBlock, at.inner - lane), positions + outer * at.inner + lane);
                }
            });
    });
}

void check_ordered(std::string_view what, const Array& x) {
    check(!is_complex(x.dtype()), what, "(): does not support complex input");
}

void check_axis_not_empty(std::string_view what, const Array& x, int axis) {
    check_as(ErrorKind::Index, lane_size(x, axis) > 0, what, "(): Expected reduction dim ", axis,
             " to have non-zero size.");
}

std::pair<Array, Array> extreme_with_index(std::string_view what, const Array& x, Index dim,
                                           bool keepdim, bool largest) {
    const int axis = lane_axis(what, dim, x);
    check_ordered(what, x);
    check_axis_not_empty(what, x, axis);
    const Dims shape = reduced_shape(x.shape(), axis, keepdim);
    const Array values = Array::empty(shape, x.dtype()), indices = Array::empty(shape, DType::I64);
    if (x.numel() == 0 || values.is_meta()) return {values, indices};
    const Array source = contiguous(x);
    const Lanes at = lanes_of(x.shape(), axis);
    auto* position = indices.data<Index>();
    extreme_positions(source, at, largest, position);
    dispatch_size(x.itemsize(), [&]<class T>() {
        const T* from = source.data<T>();
        T* to = values.data<T>();
        for (Index o = 0; o < at.outer; ++o) {
            for (Index i = 0; i < at.inner; ++i) {
                const Index lane = o * at.inner + i;
                to[lane] = from[(o * at.length + position[lane]) * at.inner + i];
            }
        }
    });
    return {values, indices};
}

std::pair<Array, Array> max_with_index(const Array& x, Index dim, bool keepdim) {
    return extreme_with_index("max", x, dim, keepdim, true);
}
std::pair<Array, Array> min_with_index(const Array& x, Index dim, bool keepdim) {
    return extreme_with_index("min", x, dim, keepdim, false);
}

// Position in the flattened tensor: blocks side by side, the best of them in their order.
Index flat_extreme(const Array& x, bool largest) {
    constexpr Index kBlock = 1 << 16;
    const Index blocks = (x.numel() + kBlock - 1) / kBlock;
    std::vector<Index> best(static_cast<std::size_t>(blocks));
    dispatch_extreme(x.dtype(), largest, [&]<class T, bool kLargest>() {
        const T* from = x.data<T>();
        for_ranges(x.numel(), kBlock, 5e-10, [&](Index begin, Index end) {
            best[std::size_t(begin / kBlock)] =
                begin + extreme_of_row<kLargest>(from + begin, end - begin);
        });
        for (Index b : best) {
            if (beats<kLargest>(Compute<T>(from[b]), Compute<T>(from[best[0]]))) best[0] = b;
        }
    });
    return best[0];
}

Array arg_extreme(std::string_view what, const Array& x, std::optional<Index> dim, bool keepdim,
                  bool largest) {
    check_ordered(what, x);
    check(x.dtype() != DType::Bool, what, "(): does not support bool input");
    if (!dim) {
        check_as(ErrorKind::Index, x.numel() > 0, what,
                 "(): Expected reduction dim to be specified for input.numel() == 0.");
        if (x.is_meta()) return Array::meta(keepdim ? Dims(x.ndim(), 1) : Dims{}, DType::I64);
        const Index position = flat_extreme(contiguous(x), largest);
        return Array::full(keepdim ? Dims(x.ndim(), 1) : Dims{}, DType::I64,
                           Scalar(std::int64_t(position)));
    }
    const int axis = lane_axis(what, *dim, x);
    check_axis_not_empty(what, x, axis);
    const Array indices = Array::empty(reduced_shape(x.shape(), axis, keepdim), DType::I64);
    if (x.numel() > 0 && !indices.is_meta()) {
        extreme_positions(contiguous(x), lanes_of(x.shape(), axis), largest, indices.data<Index>());
    }
    return indices;
}

Array argmax(const Array& x, std::optional<Index> dim, bool keepdim) {
    return arg_extreme("argmax", x, dim, keepdim, true);
}
Array argmin(const Array& x, std::optional<Index> dim, bool keepdim) {
    return arg_extreme("argmin", x, dim, keepdim, false);
}

// --- masks -----------------------------------------------------------------------------------

// The coordinates of the set flags [begin, end) of a mask of this shape, from `to` on. Every place
// is written, and only those that are set stay; kRank is 0 where it is not known before.
template <int kRank>
void write_places(const Dims& shape, const std::uint8_t* flag, Index begin, Index end, Index* to,
                  const Index* to_end) {
    const int rank = kRank ? kRank : shape.size();
    const Index width = shape.back();
    Dims place(rank);
    for (Index i = begin; i < end && to < to_end;) {
        Index row = i / width;
        const Index start = row * width, stop = std::min(end, start + width);
        for (int d = rank - 2; d >= 0; --d) {
            place[d] = row % shape[d];
            row /= shape[d];
        }
        while (i < stop && to < to_end) {
            std::uint64_t eight = 1;
            if (i + 8 <= stop) std::memcpy(&eight, flag + i, 8);
            if (eight == 0) {
                i += 8;
                continue;
            }
            const Index near = std::min(i + 8, stop);
            for (; i < near && to < to_end; ++i) {
                for (int d = 0; d + 1 < rank; ++d) to[d] = place[d];
                to[rank - 1] = i - start;
                to += flag[i] ? rank : 0;
            }
        }
    }
}

// The coordinates of the elements that are not zero, in row-major order: (count, ndim).
Array nonzero(const Array& x) {
    const Mask mask(cast(x, DType::Bool));
    const int rank = x.ndim();
    const Array result = Array::empty(Dims{mask.count(), rank}, DType::I64);
    if (result.numel() == 0) return result;
    auto* out = result.data<Index>();
    for_ranges(x.numel(), kMaskBlock, 1e-9, [&](Index begin, Index end) {
        const std::size_t block = std::size_t(begin / kMaskBlock);
        Index* to = out + mask.before[block] * rank;
        const Index* to_end = out + mask.before[block + 1] * rank;
        if (rank == 1) {
            write_places<1>(x.shape(), mask.flag, begin, end, to, to_end);
        } else if (rank == 2) {
            write_places<2>(x.shape(), mask.flag, begin, end, to, to_end);
        } else {
            write_places<0>(x.shape(), mask.flag, begin, end, to, to_end);
        }
    });
    return result;
}

void check_mask(std::string_view what, const Array& mask) {
    check(mask.dtype() == DType::Bool, what, ": expected a mask of dtype bool, got ",
          name_of(mask.dtype()));
}

Array spread(const Array& x, const Dims& shape) {
    return x.shape() == shape ? x : x.expand(shape);
}

// The elements where the mask, broadcast against x, is set: (count,).
Array masked_select(const Array& x, const Array& mask) {
    check_mask("masked_select", mask);
    const Dims shape = broadcast_shapes("masked_select", x.shape(), mask.shape());
    return pack_masked(spread(x, shape), Mask(spread(mask, shape)));
}

// x[mask] = the first elements of source, in row-major order; in place.
Array masked_scatter_(const Array& x, const Array& mask, const Array& source) {
    check_mask("masked_scatter_", mask);
    check(x.dtype() == source.dtype(), "masked_scatter_: the input has dtype ", name_of(x.dtype()),
          " but the source has ", name_of(source.dtype()), "; they must be the same");
    check_writable("masked_scatter_", x);
    const Dims shape = broadcast_shapes("masked_scatter_", x.shape(), mask.shape());
    check(shape == x.shape(), "masked_scatter_: a mask of shape ", mask.shape(),
          " does not broadcast to the input's shape ", x.shape());
    const bool shared = &mask.storage() == &x.storage();
    const Mask places(shared ? clone(spread(mask, shape)) : spread(mask, shape));
    check(source.numel() >= places.count(), "masked_scatter_: Number of elements of source (",
          source.numel(), ") < number of ones in mask (", places.count(), ")");
    if (places.count() == 0) return x;
    const Array values = &source.storage() == &x.storage() ? clone(source) : contiguous(source);
    values.storage();
    x.storage();
    prepare_write(x);
    spread_masked(x, places, values, false);
    return x;
}

}  // namespace

void bind_select(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("argmax", &argmax, "x"_a, "dim"_a = nanobind::none(), "keepdim"_a = false);
    m.def("argmin", &argmin, "x"_a, "dim"_a = nanobind::none(), "keepdim"_a = false);
    m.def("max_with_index", &max_with_index, "x"_a, "dim"_a, "keepdim"_a = false);
    m.def("min_with_index", &min_with_index, "x"_a, "dim"_a, "keepdim"_a = false);
    m.def("nonzero", &nonzero, "x"_a);
    m.def("masked_select", &masked_select, "x"_a, "mask"_a);
    m.def("masked_scatter_", &masked_scatter_, "x"_a, "mask"_a, "source"_a);
}

}  // namespace rushlight
