// Padding with elements of the input itself (mirrored, repeated or from the other side), and its
// adjoint. A place of the result is a place of the input along each axis by itself; along the last
// axis nearly all of a row lies together in both.
#include <algorithm>
#include <cstring>
#include <vector>

#include "bind/casters.h"
#include "kernels/axis_walk.h"

namespace rushlight {
namespace {

enum class Edge { Reflect, Replicate, Circular };

Edge edge_of(const std::string& mode) {
    if (mode == "reflect") return Edge::Reflect;
    if (mode == "replicate") return Edge::Replicate;
    if (mode == "circular") return Edge::Circular;
    fail(ErrorKind::Value, "edge_pad: unknown mode '", mode, "'");
}

// Which input element each element of the result is, along one axis.
struct Along {
    Index in = 1;
    std::vector<Index> source{0};
    Index first = 0, last = 1;  // the longest run of sources that follow each other

    Along() = default;
    Along(Edge edge, Index size, Index before, Index after) : in(size) {
        const Index out = size + before + after;
        check(out >= 0, "pad: padding (", before, ", ", after, ") of ", size,
              " elements leaves a negative number of them");
        const Index start = std::max<Index>(-before, 0);  // negative padding cuts off first
        const Index kept = size - start - std::max<Index>(-after, 0);
        source.resize(std::size_t(out));
        for (Index o = 0; o < out; ++o) {
            const Index at = o - before;
            Index& from = source[std::size_t(o)];
            switch (edge) {
                case Edge::Reflect: from = size - 1 - std::abs(size - 1 - std::abs(at)); break;
                case Edge::Replicate: from = std::clamp<Index>(at, 0, size - 1); break;
                case Edge::Circular:
                    check(kept > 0, "pad: circular padding (", before, ", ", after, ") of ", size,
                          " elements keeps none of them");
                    from = start + ((o - std::max<Index>(before, 0)) % kept + kept) % kept;
            }
            check(from >= 0 && from < size, "pad: padding (", before, ", ", after, ") of ", size,
                  " elements reaches outside of them");
        }
        last = 0;
        for (Index o = 0; o < out;) {
            Index end = o + 1;
            while (end < out && source[std::size_t(end)] == source[std::size_t(end) - 1] + 1) ++end;
            if (end - o > last - first) {
                first = o;
                last = end;
            }
            o = end;
        }
    }

    Index out() const { return Index(source.size()); }
    bool covers() const { return last - first == in; }
    bool in_run(Index o) const { return o >= first && o < last; }
};

// The last three axes; fewer are filled up with axes of one element.
struct Layout {
    Index items = 1;
    Along deep, high, wide;
    Dims input, result;

    Layout(const Dims& shape, const Dims& pads, const std::string& mode) : input(shape) {
        const int axes = pads.size() / 2;
        check(pads.size() % 2 == 0 && axes >= 1 && axes <= 3 && axes <= shape.size(),
              "edge_pad: padding ", pads, " does not fit shape ", shape);
        const Edge edge = edge_of(mode);
        Along* const places[] = {&wide, &high, &deep};
        result = shape;
        for (int i = 0; i < axes; ++i) {
            const int axis = shape.size() - 1 - i;
            *places[i] = Along(edge, shape[axis], pads[2 * i], pads[2 * i + 1]);
            result[axis] = places[i]->out();
        }
        for (int d = 0; d < shape.size() - axes; ++d) items *= shape[d];
    }

    Index in_size() const { return deep.in * high.in * wide.in; }
    Index out_size() const { return deep.out() * high.out() * wide.out(); }
    bool covers() const { return deep.covers() && high.covers() && wide.covers(); }

    // f(from row of the result, row of the input, whether both are in the runs)
    template <class F>
    void for_rows(F&& f) const {
        for (Index z = 0; z < deep.out(); ++z) {
            const Index plane = deep.source[std::size_t(z)] * high.in;
            for (Index y = 0; y < high.out(); ++y) {
                f(z * high.out() + y, plane + high.source[std::size_t(y)],
                  deep.in_run(z) && high.in_run(y));
            }
        }
    }

    template <class F>
    void for_items(F&& f) const {
        for_ranges(items, grain_for(in_size() + out_size()), 3e-10 * double(in_size() + out_size()),
                   [&](Index begin, Index end) {
                       for (Index item = begin; item < end; ++item) f(item);
                   });
    }
};

template <class T>
void gather(const Layout& layout, const T* x, T* y) {
    const Along& wide = layout.wide;
    const Index* source = wide.source.data();
    const Index run = wide.last - wide.first, out = wide.out();
    layout.for_items([&](Index item) {
        const T* from = x + item * layout.in_size();
        T* to = y + item * layout.out_size();
        layout.for_rows([&](Index o, Index i, bool) {
            const T* row = from + i * wide.in;
            T* result = to + o * out;
            for (Index c = 0; c < wide.first; ++c) result[c] = row[source[c]];
            if (run > 0) {
                std::memcpy(result + wide.first, row + source[wide.first],
                            std::size_t(run) * sizeof(T));
            }
            for (Index c = wide.last; c < out; ++c) result[c] = row[source[c]];
        });
    });
}

// The rows of the runs are copied, all others added to them, in the order of the result.
template <class T>
void scatter(const Layout& layout, const T* grad, T* dx) {
    const Along& wide = layout.wide;
    const Index* source = wide.source.data();
    const Index run = wide.last - wide.first, out = wide.out();
    const Index at = run > 0 ? source[wide.first] : 0;
    layout.for_items([&](Index item) {
        const T* from = grad + item * layout.out_size();
        T* to = dx + item * layout.in_size();
        if (!layout.covers()) std::fill_n(to, layout.in_size(), T(0));
        const auto edges = [&](const T* row, T* target) {
            for (Index c = 0; c < wide.first; ++c) target[source[c]] += row[c];
            for (Index c = wide.last; c < out; ++c) target[source[c]] += row[c];
        };
        layout.for_rows([&](Index o, Index i, bool whole) {
            if (!whole) return;
            T* target = to + i * wide.in;
            const T* row = from + o * out;
            std::copy_n(row + wide.first, run, target + at);
            edges(row, target);
        });
        layout.for_rows([&](Index o, Index i, bool whole) {
            if (whole) return;
            T* target = to + i * wide.in + at;
            const T* row = from + o * out;
            for (Index c = 0; c < run; ++c) target[c] += row[wide.first + c];
            edges(row, target - at);
        });
    });
}

}  // namespace

// `pads`: elements before and after the last axis, then before and after the one before it, ...
Array edge_pad(const Array& x, const Dims& pads, const std::string& mode) {
    const Layout layout(x.shape(), pads, mode);
    const Array result = Array::empty(layout.result, x.dtype());
    if (result.nothing_to_compute()) return result;
    const Array source = contiguous(x);
    dispatch_size(x.itemsize(),
                  [&]<class T>() { gather(layout, source.data<T>(), result.data<T>()); });
    return result;
}

// From the gradient of the result to that of the input, which has these sizes along the padded axes.
Array edge_pad_adjoint(const Array& grad, const Dims& pads, const std::string& mode,
                       const Dims& sizes) {
    check(sizes.size() == pads.size() / 2 && sizes.size() <= grad.ndim(),
          "edge_pad_adjoint: padding ", pads, " and sizes ", sizes, " do not fit a gradient of shape ",
          grad.shape());
    Dims shape = grad.shape();
    std::copy(sizes.begin(), sizes.end(), shape.end() - sizes.size());
    const Layout layout(shape, pads, mode);
    check(grad.shape() == layout.result, "edge_pad_adjoint: the gradient has shape ", grad.shape(),
          ", expected ", layout.result);
    if (is_half(grad.dtype())) {
        return cast(edge_pad_adjoint(cast(grad, DType::F32), pads, mode, sizes), grad.dtype());
    }
    if (grad.numel() == 0) return Array::zeros(shape, grad.dtype());
    const Array source = contiguous(grad);
    const Array result = Array::empty(shape, grad.dtype());
    if (result.is_meta()) return result;
    switch (grad.dtype()) {
        case DType::F32: scatter(layout, source.data<float>(), result.data<float>()); break;
        case DType::F64: scatter(layout, source.data<double>(), result.data<double>()); break;
        case DType::C64: scatter(layout, source.data<Complex64>(), result.data<Complex64>()); break;
        case DType::C128:
            scatter(layout, source.data<Complex128>(), result.data<Complex128>());
            break;
        default:
            fail(ErrorKind::NotImplemented, "edge_pad_adjoint: not implemented for ",
                 name_of(grad.dtype()));
    }
    return result;
}

void bind_edge_pad(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("edge_pad", &edge_pad, "input"_a, "pad"_a, "mode"_a);
    m.def("edge_pad_adjoint", &edge_pad_adjoint, "grad"_a, "pad"_a, "mode"_a, "sizes"_a);
}

}  // namespace rushlight
