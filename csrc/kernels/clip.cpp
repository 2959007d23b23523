// Clipping of gradients: the norm of many tensors taken together, and their scaling or clamping, each
// in one pass over all of them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "bind/casters.h"
#include "elementwise/loops.h"
#include "kernels/clip_loops.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

namespace nb = nanobind;

constexpr Index kChunk = 65536;  // elements of a task
constexpr Index kBlock = 1024;   // elements of half types converted at a time
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A stretch of a tensor as real numbers: a complex one is a pair.
struct Piece {
    std::byte* data;
    DType dtype;
    Index count;
};

Index reals_in(const Array& array) {
    return is_complex(array.dtype()) ? 2 * array.numel() : array.numel();
}

std::vector<Piece> pieces_of(const std::vector<Array>& arrays) {
    std::vector<Piece> pieces;
    for (const Array& array : arrays) {
        const DType dtype = real_of(array.dtype());
        const Index numel = reals_in(array);
        for (Index start = 0; start < numel; start += kChunk) {
            pieces.push_back({array.bytes() + std::size_t(start) * size_of(dtype), dtype,
                              std::min(kChunk, numel - start)});
        }
    }
    return pieces;
}

// Whether pieces share memory, as those of a tensor that is there twice: not to be done at once.
bool overlap(std::vector<Piece> pieces) {
    std::sort(pieces.begin(), pieces.end(),
              [](const Piece& a, const Piece& b) { return a.data < b.data; });
    for (std::size_t i = 1; i < pieces.size(); ++i) {
        const Piece& before = pieces[i - 1];
        if (pieces[i].data < before.data + std::size_t(before.count) * size_of(before.dtype)) {
            return true;
        }
    }
    return false;
}

// Calls f(i, piece) for all pieces, on several threads where it pays.
template <class F>
void each(const std::vector<Piece>& pieces, double seconds_per_element, F&& f) {
    parallel_for(Index(pieces.size()), seconds_per_element * double(kChunk),
                 [&](Index i) { f(std::size_t(i), pieces[std::size_t(i)]); });
}

// Calls f(count, numbers) with the float or double numbers of a piece; half types in blocks of
// float, which are written back if `writes`.
template <class F>
void in_float(const Piece& piece, bool writes, F&& f) {
    if (piece.dtype == DType::F32) return f(piece.count, reinterpret_cast<float*>(piece.data));
    if (piece.dtype == DType::F64) return f(piece.count, reinterpret_cast<double*>(piece.data));
    const Index itemsize = Index(size_of(piece.dtype));
    alignas(64) float block[kBlock];
    for (Index start = 0; start < piece.count; start += kBlock) {
        const Index count = std::min(kBlock, piece.count - start);
        std::byte* const data = piece.data + start * itemsize;
        loops().load[int(piece.dtype)](block, data, itemsize, count);
        f(count, static_cast<float*>(block));
        if (writes) loops().store[int(piece.dtype)](data, itemsize, block, count);
    }
}

// What the elements of a stretch add to the norm of order p, and how two such shares are joined.
template <class T>
double share(Index n, const T* x, double p) {
    const auto& loops = clip_table().get<T>();
    if (p == 2) return loops.sum_squares(n, x);
    if (p == 1) return loops.sum_sizes(n, x);
    if (p == kInfinity) return loops.largest(n, x);
    double total = p == -kInfinity ? kInfinity : 0;
    for (Index i = 0; i < n; ++i) {
        const double size = std::abs(double(x[i]));
        if (p == 0) total += size != 0;
        else if (p == -kInfinity) total = size != size || size < total ? size : total;
        else total += std::pow(size, p);
    }
    return total;
}

double join(double a, double b, double p) {
    if (p == kInfinity) return a != a || a > b ? a : b;
    if (p == -kInfinity) return a != a || a < b ? a : b;
    return a + b;
}

// The norm of order p of all elements of all tensors, as a 0-dim tensor of their common real dtype.
// Complex tensors only for p = 2, where they are pairs of real numbers.
Array total_norm(const std::vector<Array>& tensors, double p) {
    std::vector<Array> arrays;
    DType dtype = real_of(tensors.at(0).dtype());
    for (const Array& tensor : tensors) {
        arrays.push_back(contiguous(tensor));
        dtype = promote(dtype, real_of(tensor.dtype()));
    }
    const std::vector<Piece> pieces = pieces_of(arrays);
    std::vector<double> shares(pieces.size());
    each(pieces, 0.1e-9, [&](std::size_t i, const Piece& piece) {
        double total = p == -kInfinity ? kInfinity : 0;
        in_float(piece, false, [&](Index count, const auto* x) {
            total = join(total, share(count, x, p), p);
        });
        shares[i] = total;
    });
    double total = p == -kInfinity ? kInfinity : 0;
    for (double one : shares) total = join(total, one, p);
    if (p == 2) total = std::sqrt(total);
    else if (p != 1 && p != 0 && std::isfinite(p)) total = std::pow(total, 1 / p);
    return Array::scalar(Scalar(total), dtype);
}

// Applies change(count, numbers) to all elements of all tensors, in place.
template <class Change>
void change_all(const std::vector<Array>& tensors, Change&& change) {
    std::vector<Array> dense;
    std::vector<std::pair<const Array*, Array>> copies;  // of tensors with gaps or another order
    for (const Array& tensor : tensors) {
        prepare_write(tensor);
        dense.push_back(contiguous(tensor));
        if (!tensor.is_contiguous()) copies.emplace_back(&tensor, dense.back());
    }
    const auto run = [&](const std::vector<Piece>& pieces) {
        each(pieces, 0.2e-9,
             [&](std::size_t, const Piece& piece) { in_float(piece, true, change); });
    };
    const std::vector<Piece> pieces = pieces_of(dense);
    if (overlap(pieces)) {
        for (const Array& array : dense) run(pieces_of({array}));
    } else {
        run(pieces);
    }
    for (const auto& [tensor, copy] : copies) assign(*tensor, copy);
}

// Multiplies all tensors by the one number in `factor`.
void scale_all(const std::vector<Array>& tensors, const Array& factor) {
    const double number = *cast(factor, DType::F64).data<double>();
    change_all(tensors, [&]<class T>(Index n, T* x) { clip_table().get<T>().scale(n, x, T(number)); });
}

// Limits all elements of real tensors to [-limit, limit].
void clamp_all(const std::vector<Array>& tensors, double limit) {
    change_all(tensors, [&]<class T>(Index n, T* x) { clip_table().get<T>().clamp(n, x, T(limit)); });
}

}  // namespace

void bind_clip(nb::module_& m) {
    using namespace nanobind::literals;
    m.def("total_norm", &total_norm, "tensors"_a, "p"_a);
    m.def("scale_all", &scale_all, "tensors"_a, "factor"_a);
    m.def("clamp_all", &clamp_all, "tensors"_a, "limit"_a);
}

}  // namespace rushlight
