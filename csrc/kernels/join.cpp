// Putting tensors together and laying one out anew: cat, stack, repeat, flip, roll, tril, triu,
// diag_embed. What a view can do is not here.
#include <bit>

#include "bind/casters.h"
#include "elementwise/loops.h"
#include "kernels/axis_walk.h"

namespace rushlight {

namespace {

constexpr double kSecondsPerByte = 2e-10;

// --- cat and stack ---------------------------------------------------------------------------

// A contiguous part of the result: `bytes` of it in each of `outer` rows, from `at` on.
struct Part {
    const std::byte* from;
    std::size_t bytes;
    std::size_t at;
};

void join_parts(std::byte* to, Index outer, std::size_t row, const std::vector<Part>& parts) {
    const double seconds = double(row) * kSecondsPerByte;
    if (outer == 1) {  // few long pieces: cut each
        for (const Part& part : parts) {
            for_ranges(
                Index(part.bytes), Index(1) << 18, kSecondsPerByte, [&](Index begin, Index end) {
                    std::memcpy(to + part.at + begin, part.from + begin, std::size_t(end - begin));
                });
        }
        return;
    }
    const Index grain = std::max<Index>(1, (Index(1) << 17) / Index(std::max<std::size_t>(row, 1)));
    for_ranges(outer, grain, seconds, [&](Index begin, Index end) {
        for (const Part& part : parts) {
            std::byte* out = to + std::size_t(begin) * row + part.at;
            const std::byte* from = part.from + std::size_t(begin) * part.bytes;
            for (Index o = begin; o < end; ++o, out += row, from += part.bytes) {
                copy_bytes(out, from, part.bytes);
            }
        }
    });
}

// The parts of a result along one axis, in their order. What lies side by side is copied with the
// others; what does not, or has another dtype, goes straight to its place if rows there are long.
class Joining {
public:
    Joining(const Array& result, int axis, std::size_t parts)
        : result_(result), axis_(axis), lanes_(lanes_of(result.shape(), axis)) {
        sources_.reserve(parts);
        parts_.reserve(parts);
    }

    // A tensor for the next `width` places along the axis.
    void add(const Array& tensor, Index width, bool has_axis) {
        const std::size_t bytes = std::size_t(width * lanes_.inner) * result_.itemsize();
        const bool plain = tensor.dtype() == result_.dtype() && tensor.is_contiguous();
        if (!plain && !tensor.is_pending() && bytes >= 256) {
            assign(has_axis ? result_.slice(axis_, begin_, begin_ + width, 1)
                            : result_.select(axis_, begin_),
                   tensor);
        } else {
            sources_.push_back(contiguous(cast(tensor, result_.dtype())));
            parts_.push_back({sources_.back().bytes(), bytes, at_});
        }
        begin_ += width;
        at_ += bytes;
    }

    void run() { join_parts(result_.bytes(), lanes_.outer, at_, parts_); }

private:
    Array result_;
    int axis_;
    Lanes lanes_;
    Index begin_ = 0;
    std::size_t at_ = 0;
    std::vector<Array> sources_;  // keeps converted copies alive
    std::vector<Part> parts_;
};

// A 1-D tensor without elements fits anywhere, as it always did in PyTorch.
bool is_skipped(const Array& part) { return part.ndim() == 1 && part.numel() == 0; }

Array cat(const std::vector<Array>& tensors, Index dim) {
    check_as(ErrorKind::Value, !tensors.empty(),
             "torch.cat(): expected a non-empty list of Tensors");
    const Array* model = nullptr;
    DType dtype = tensors[0].dtype();
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        check(tensors[i].ndim() > 0, "zero-dimensional tensor (at position ", i,
              ") cannot be concatenated; use stack, or unsqueeze it");
        dtype = promote(dtype, tensors[i].dtype());
        if (!model && !is_skipped(tensors[i])) model = &tensors[i];
    }
    if (!model) return Array::empty(Dims{0}, dtype);
    const int axis = lane_axis("cat", dim, *model);
    Dims shape = model->shape();
    shape[axis] = 0;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        if (is_skipped(tensors[i])) continue;
        const Dims& part = tensors[i].shape();
        check(part.size() == shape.size(), "cat: Tensors must have same number of dimensions: got ",
              shape.size(), " and ", part.size(), " (shapes ", model->shape(), " and ", part, ")");
        for (int d = 0; d < part.size(); ++d) {
            check(d == axis || part[d] == shape[d],
                  "Sizes of tensors must match except in dimension ", axis, ". Expected size ",
                  shape[d], " but got size ", part[d], " for tensor number ", i,
                  " in the list (shapes ", model->shape(), " and ", part, ")");
        }
        check(!__builtin_add_overflow(shape[axis], part[axis], &shape[axis]),
              "cat: the sizes in dimension ", axis, " add up to more than a tensor can have");
    }
    const Array result = Array::empty(shape, dtype);
    if (result.nothing_to_compute()) return result;
    Joining joining(result, axis, tensors.size());
    for (const Array& tensor : tensors) {
        if (tensor.numel() > 0) joining.add(tensor, tensor.size(axis), true);
    }
    joining.run();
    return result;
}

Array stack(const std::vector<Array>& tensors, Index dim) {
    check(!tensors.empty(), "stack expects a non-empty TensorList");
    const Dims& model = tensors[0].shape();
    DType dtype = tensors[0].dtype();
    const int axis = normalize_axis("stack", dim, model.size() + 1);
    for (std::size_t i = 1; i < tensors.size(); ++i) {
        check(tensors[i].shape() == model, "stack expects each tensor to be equal size, but got ",
              model, " at entry 0 and ", tensors[i].shape(), " at entry ", i);
        dtype = promote(dtype, tensors[i].dtype());
    }
    Dims shape = model;
    shape.insert(axis, Index(tensors.size()));
    const Array result = Array::empty(shape, dtype);
    if (result.nothing_to_compute()) return result;
    Joining joining(result, axis, tensors.size());
    for (const Array& tensor : tensors) joining.add(tensor, 1, false);
    joining.run();
    return result;
}

// --- axes taken in another order: repeat, flip, roll ---------------------------------------------

// Consecutive places of an axis, or with `falling` these from the last one back to `first`.
struct Run {
    Index first;
    Index count;
    bool falling = false;
};

// Copies a run of units of `unit` elements each.
template <class T>
void copy_run(T* out, const T* from, const Run& run, Index unit) {
    from += run.first * unit;
    if (!run.falling) {
        copy_bytes(out, from, std::size_t(run.count * unit) * sizeof(T));
    } else if (unit == 1) {
        loops().reverse[std::countr_zero(sizeof(T))](out, from, run.count);
    } else {
        for (Index i = 0; i < run.count; ++i)
            copy_bytes(out + i * unit, from + (run.count - 1 - i) * unit,
                       std::size_t(unit) * sizeof(T));
    }
}

// The runs again, none longer than `most`, and where in the result each begins.
struct Piece {
    Run run;
    Index at;
};
std::vector<Piece> pieces_of(const std::vector<Run>& runs, Index most) {
    std::vector<Piece> pieces;
    Index at = 0;
    for (const Run& run : runs)
        for (Index done = 0; done < run.count; done += most) {
            const Index count = std::min(most, run.count - done);
            const Index first = run.falling ? run.first + run.count - done - count
                                            : run.first + done;
            pieces.push_back({{first, count, run.falling}, at});
            at += count;
        }
    return pieces;
}

// A result whose axis d is put together from runs_of(d) of that of x; none: as it is. The runs are
// made after the result: what does not fit in memory fails at once.
template <class RunsOf>
Array remap_axes(const Array& x, const Dims& shape, RunsOf&& runs_of) {
    const Array result = Array::empty(shape, x.dtype());
    if (result.nothing_to_compute()) return result;
    std::vector<std::vector<Run>> runs;
    int last = -1;  // the last axis that changes
    for (int d = 0; d < x.ndim(); ++d) {
        runs.push_back(runs_of(d));
        if (!runs.back().empty()) last = d;
    }
    if (last < 0) return clone(x);
    const Array source = contiguous(x);
    const Dims& strides = source.strides();
    // Offsets of the rows in front of that axis.
    std::vector<Index> rows(1, 0);
    for (int d = 0; d < last; ++d) {
        if (runs[std::size_t(d)].empty()) runs[std::size_t(d)].push_back({0, shape[d]});
        std::vector<Index> wider;
        wider.reserve(rows.size() * std::size_t(shape[d]));
        for (Index row : rows)
            for (const Run& run : runs[std::size_t(d)])
                for (Index i = 0; i < run.count; ++i)
                    wider.push_back(row + (run.falling ? run.first + run.count - 1 - i
                                                       : run.first + i) * strides[d]);
        rows = std::move(wider);
    }
    const Index length = shape[last], unit = lanes_of(shape, last).inner;
    const std::vector<Piece> pieces = pieces_of(runs[std::size_t(last)], grain_for(unit));
    const Index each = Index(pieces.size());
    dispatch_size(x.itemsize(), [&]<class T>() {
        const T* from = source.data<T>();
        T* to = result.data<T>();
        const Index elements = std::max<Index>(1, length * unit / each);
        const double seconds = double(elements) * sizeof(T) * kSecondsPerByte + 1e-9;
        for_ranges(Index(rows.size()) * each, grain_for(elements), seconds,
                   [&](Index begin, Index end) {
                       Index r = begin / each, p = begin % each;
                       for (Index i = begin; i < end; ++i) {
                           const Piece& piece = pieces[std::size_t(p)];
                           copy_run(to + (r * length + piece.at) * unit,
                                    from + rows[std::size_t(r)], piece.run, unit);
                           if (++p == each) ++r, p = 0;
                       }
                   });
    });
    return result;
}

Array flip(const Array& x, const Dims& dims) {
    Dims seen(std::max(x.ndim(), 1), 0);
    for (Index dim : dims) {
        const int axis = lane_axis("flip", dim, x);
        check(!seen[axis], "flip: dim ", axis, " appears multiple times in the list of dims");
        seen[axis] = 1;
    }
    return remap_axes(x, x.shape(), [&](int d) {
        std::vector<Run> runs;
        if (seen[d]) runs.push_back({0, x.size(d), true});
        return runs;
    });
}

// Without dims the flattened tensor is rolled.
Array roll(const Array& x, const Dims& shifts, const Dims& dims) {
    if (dims.empty() && shifts.size() == 1 && x.ndim() > 0) {
        return roll(x.reshape(Dims{x.numel()}), shifts, Dims{0}).view(x.shape());
    }
    check(!shifts.empty(), "roll: `shifts` required");
    check_as(ErrorKind::Index, x.ndim() > 0 || dims.empty(), "roll: Dimension specified as ",
             dims.empty() ? 0 : dims[0], " but tensor has no dimensions");
    check((x.ndim() == 0 && dims.empty()) || dims.size() == shifts.size(),
          "roll: shifts and dimensions must align. shifts: ", shifts.size(),
          ", dims:", dims.size());
    if (x.numel() == 0 || x.ndim() == 0) return clone(x);
    Dims total(x.ndim(), 0);
    for (int i = 0; i < dims.size(); ++i) {
        const int axis = lane_axis("roll", dims[i], x);
        total[axis] = (total[axis] + shifts[i] % x.size(axis)) % x.size(axis);
    }
    return remap_axes(x, x.shape(), [&](int d) {
        const Index size = x.size(d), shift = (total[d] + size) % size;
        std::vector<Run> runs;
        if (shift != 0) runs = {{size - shift, shift}, {0, size - shift}};
        return runs;
    });
}

Array repeat(const Array& x, const Dims& repeats) {
    check(repeats.size() >= x.ndim(), "repeat: Number of dimensions of repeat dims (",
          repeats.size(), ") can not be smaller than number of dimensions of tensor (", x.ndim(),
          ")");
    Dims from = x.shape();
    while (from.size() < repeats.size()) from.insert(0, 1);
    Dims shape = from;
    for (int d = 0; d < from.size(); ++d) {
        check(repeats[d] >= 0, "repeat: Trying to create tensor with negative dimension ",
              repeats[d], " times the size of dimension ", d, ": ", repeats);
        check(!__builtin_mul_overflow(from[d], repeats[d], &shape[d]), "repeat: the size ",
              from[d], " * ", repeats[d], " of dimension ", d, " overflows");
    }
    return remap_axes(x.reshape(from), shape, [&](int d) {
        std::vector<Run> runs;
        if (repeats[d] != 1) runs.assign(std::size_t(repeats[d]), {0, from[d]});
        return runs;
    });
}

// For repeat_interleave: position i as often as repeats[i] says, (sum of repeats,), in their dtype.
Array repeat_positions(const Array& repeats, std::optional<Index> output_size) {
    check_as(ErrorKind::NotImplemented,
             repeats.dtype() == DType::I64 || repeats.dtype() == DType::I32,
             "repeat_interleave: expected repeats of dtype int64 or int32, got ",
             name_of(repeats.dtype()));
    check(repeats.ndim() == 1, "repeat_interleave: expected a 1-D tensor of repeats, got shape ",
          repeats.shape());
    const Array counts = as_index(repeats);
    const auto* count = counts.data<Index>();
    Index total = 0;
    for (Index i = 0; i < counts.numel(); ++i) {
        check(count[i] >= 0, "repeat_interleave: repeats can not be negative, got ", count[i],
              " at position ", i);
        check(!__builtin_add_overflow(total, count[i], &total), "repeat_interleave: the sum of the "
              "repeats overflows");
    }
    check(!output_size || *output_size == total,
          "repeat_interleave: allocated size does not match required size: output_size is ",
          output_size.value_or(0), " but the repeats add up to ", total);
    const Array result = Array::empty(Dims{total}, DType::I64);
    auto* position = result.data<Index>();
    for (Index i = 0; i < counts.numel(); ++i) {
        position = std::fill_n(position, count[i], i);
    }
    return cast(result, repeats.dtype());
}

// All ways to take r of the positions below n in their order, each but once unless `again`: (ways,
// r).
Array combination_positions(Index n, Index r, bool again) {
    check(n >= 0 && r > 0, "combinations: expected a size and a positive number, got ", n, " and ",
          r);
    // The number of ways is (n over r); with repetition as if there were r - 1 elements more.
    const Index from = again && n > 0 ? n + r - 1 : n;
    Index ways = from < r ? 0 : 1;
    for (Index i = 0; i < std::min(r, from - r) && ways > 0; ++i) {
        const __int128 wider = __int128(ways) * (from - i) / (i + 1);
        check(wider < (__int128(1) << 62), "combinations: ", r, " of ", n,
              " elements are more ways than a tensor can have");
        ways = Index(wider);
    }
    const Array result = Array::empty(Dims{ways, r}, DType::I64);
    if (ways == 0) return result;
    auto* out = result.data<Index>();
    std::vector<Index> place(static_cast<std::size_t>(r));
    const Index step = again ? 0 : 1;
    for (Index i = 0; i < r; ++i) place[std::size_t(i)] = i * step;
    for (;;) {
        // All values of the last position behind the others.
        for (Index last = place.back(); last < n; ++last, out += r) {
            for (Index i = 0; i + 1 < r; ++i) out[i] = place[std::size_t(i)];
            out[r - 1] = last;
        }
        // The rightmost of the others that may still rise, and what follows it as low as it goes.
        Index at = r - 2;
        while (at >= 0 && place[std::size_t(at)] + (r - 1 - at) * step >= n - 1) --at;
        if (at < 0) return result;
        ++place[std::size_t(at)];
        for (Index i = at + 1; i < r; ++i) {
            place[std::size_t(i)] = place[std::size_t(i - 1)] + step;
        }
    }
}

// --- triangles and diagonals --------------------------------------------------------------------

Array triangle(std::string_view what, const Array& x, Index diagonal, bool lower) {
    check(x.ndim() >= 2, what, ": input tensor must have at least 2 dimensions, got shape ",
          x.shape());
    const Array source = contiguous(x);
    const Array result = Array::empty(x.shape(), x.dtype());
    if (result.nothing_to_compute()) return result;
    const Index rows = x.size(x.ndim() - 2), columns = x.size(x.ndim() - 1);
    const std::size_t item = x.itemsize();
    const std::byte* from = source.bytes();
    std::byte* to = result.bytes();
    const double seconds = double(columns) * double(item) * kSecondsPerByte;
    for_ranges(x.numel() / columns, grain_for(columns), seconds, [&](Index begin, Index end) {
        for (Index r = begin; r < end; ++r) {
            // Columns below `split` belong to the lower part.
            const Index split =
                std::clamp<Index>(r % rows + diagonal + (lower ? 1 : 0), 0, columns);
            const std::size_t head = std::size_t(split) * item;
            const std::size_t tail = std::size_t(columns - split) * item;
            const std::size_t row = std::size_t(r * columns) * item;
            if (lower) {
                std::memcpy(to + row, from + row, head);
                std::memset(to + row + head, 0, tail);
            } else {
                std::memset(to + row, 0, head);
                std::memcpy(to + row + head, from + row + head, tail);
            }
        }
    });
    return result;
}

Array tril(const Array& x, Index diagonal) { return triangle("tril", x, diagonal, true); }
Array triu(const Array& x, Index diagonal) { return triangle("triu", x, diagonal, false); }

// The last axis of x becomes the diagonal of matrices over dim1 and dim2.
Array diag_embed(const Array& x, Index offset, Index dim1, Index dim2) {
    const int rank = x.ndim() + 1;
    const int row = normalize_axis("diag_embed", dim1, rank);
    const int column = normalize_axis("diag_embed", dim2, rank);
    check(row != column, "diag_embed: diagonal dimensions cannot be identical ", dim1, ", ", dim2);
    check_as(ErrorKind::Index, x.ndim() > 0,
             "diag_embed: expected at least one dimension, got a 0-dim "
             "tensor");
    const Index length = x.shape().back(), size = length + std::abs(offset);
    Dims shape = x.shape();
    shape.resize(x.ndim() - 1);
    shape.insert(std::min(row, column), size);
    shape.insert(std::max(row, column), size);
    const Array result = Array::zeros(shape, x.dtype());
    // A view of the diagonals with x's shape.
    Dims strides;
    for (int d = 0; d < rank; ++d) {
        if (d != row && d != column) strides.push_back(result.stride(d));
    }
    strides.push_back(result.stride(row) + result.stride(column));
    if (result.is_meta()) return result;
    const Index first = offset >= 0 ? offset * result.stride(column) : -offset * result.stride(row);
    const std::vector<Index> places = element_offsets(x.shape(), strides);
    const Array source = contiguous(x);
    dispatch_size(x.itemsize(), [&]<class T>() {
        T* to = result.data<T>() + first;
        const T* from = source.data<T>();
        for (std::size_t i = 0; i < places.size(); ++i) to[places[i]] = from[i];
    });
    return result;
}

}  // namespace

void bind_join(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("cat", &cat, "tensors"_a, "dim"_a = 0);
    m.def("stack", &stack, "tensors"_a, "dim"_a = 0);
    m.def("flip", &flip, "x"_a, "dims"_a);
    m.def("roll", &roll, "x"_a, "shifts"_a, "dims"_a);
    m.def("repeat", &repeat, "x"_a, "repeats"_a);
    m.def("repeat_positions", &repeat_positions, "repeats"_a, "output_size"_a = nanobind::none());
    m.def("combination_positions", &combination_positions, "n"_a, "r"_a, "again"_a = false);
    m.def("tril", &tril, "x"_a, "diagonal"_a = 0);
    m.def("triu", &triu, "x"_a, "diagonal"_a = 0);
    m.def("diag_embed", &diag_embed, "x"_a, "offset"_a = 0, "dim1"_a = -2, "dim2"_a = -1);
}

}  // namespace rushlight
