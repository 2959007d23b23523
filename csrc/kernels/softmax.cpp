// softmax, log_softmax and logsumexp along an axis, and the backward kernels of the first two.
#include <cmath>

#include "bind/casters.h"
#include "kernels/slices.h"

namespace rushlight {
namespace {

constexpr double kSecondsPerElement = 0.5e-9;

void check_floating(std::string_view what, DType dtype) {
    check_as(ErrorKind::NotImplemented, is_floating(dtype), what, ": not implemented for ",
             name_of(dtype), ", only for floating point; pass dtype=torch.float32, say, or convert "
             "the input");
}

template <class T>
Array as_dense(const Array& x) {
    return contiguous(cast(x, dtype_of<T>));
}

// A fresh result like `x`, filled by fill(loops, cut, result) over the slices along `dim`. Half
// types are computed in float. A pending input runs before the result takes memory: what only it
// reads is free again by then.
template <class Fill>
Array along(std::string_view what, const Array& x, Index dim, Fill&& fill) {
    const int axis = normalize_axis("", dim, x.ndim());
    check_floating(what, x.dtype());
    x.storage();
    const Array result = Array::empty(x.shape(), compute_dtype(x.dtype()));
    if (!result.nothing_to_compute()) {
        dispatch_real(what, result.dtype(), [&]<class T>() {
            const SliceCut cut(SliceView(x.shape(), axis));
            fill.template operator()<T>(softmax_table().get<T>(), cut, result);
        });
    }
    return cast(result, x.dtype());
}

// `loop` picks softmax or log_softmax out of the table.
template <class Loop>
Array forward(std::string_view what, Loop loop, const Array& x, Index dim) {
    return along(what, x, dim, [&]<class T>(const SoftmaxLoops<T>& loops, const SliceCut& cut,
                                            const Array& result) {
        const Array dense = as_dense<T>(x);
        const T* from = dense.address_of<T>();
        T* y = result.address_of<T>();
        cut.launch(kSecondsPerElement, {&dense, &result},
                   [=, run = loop(loops)](Index, const SliceBlock& block) {
            run(block.slices, from + block.start, y + block.start);
        });
    });
}

// The gradient of the input from that of the result and the result.
template <class Loop>
Array backward(std::string_view what, Loop loop, const Array& grad, const Array& result,
               Index dim) {
    check(grad.shape() == result.shape(), what, ": the gradient has shape ", grad.shape(),
          ", the result ", result.shape());
    grad.storage();
    return along(what, result, dim, [&]<class T>(const SoftmaxLoops<T>& loops, const SliceCut& cut,
                                                 const Array& input_grad) {
        const Array dense_grad = as_dense<T>(grad), dense_result = as_dense<T>(result);
        const T *g = dense_grad.address_of<T>(), *y = dense_result.address_of<T>();
        T* dx = input_grad.address_of<T>();
        cut.launch(kSecondsPerElement, {&dense_grad, &dense_result, &input_grad},
                   [=, run = loop(loops)](Index, const SliceBlock& block) {
            const Index at = block.start;
            run(block.slices, g + at, y + at, dx + at);
        });
    });
}

Array softmax(const Array& x, Index dim, std::optional<DType> dtype) {
    const auto loop = [](const auto& loops) { return loops.softmax; };
    return forward("softmax", loop, dtype ? cast(x, *dtype) : x, dim);
}
Array log_softmax(const Array& x, Index dim, std::optional<DType> dtype) {
    const auto loop = [](const auto& loops) { return loops.log_softmax; };
    return forward("log_softmax", loop, dtype ? cast(x, *dtype) : x, dim);
}
Array softmax_backward(const Array& grad, const Array& result, Index dim) {
    const auto loop = [](const auto& loops) { return loops.softmax_backward; };
    return backward("softmax_backward", loop, grad, result, dim);
}
Array log_softmax_backward(const Array& grad, const Array& result, Index dim) {
    const auto loop = [](const auto& loops) { return loops.log_softmax_backward; };
    return backward("log_softmax_backward", loop, grad, result, dim);
}

// ---- logsumexp

struct Reduced {
    Array dense;     // the input with the reduced axes side by side
    SliceView view;
    Dims shape;      // of the result
};

// Brings the reduced axes together: one axis stays where it is, several are moved to the end.
Reduced gather_axes(const Array& x, const Dims& dims, bool keepdim) {
    const int rank = x.ndim();
    bool reduced[64] = {};
    int last = 0;
    for (Index dim : dims) {
        last = normalize_axis("", dim, rank);
        check(!reduced[last], "dim ", last, " appears multiple times in the list of dims");
        reduced[last] = true;
    }
    if (dims.empty()) std::fill(reduced, reduced + rank, true);
    Dims shape, order;
    Index n = 1;
    for (int i = 0; i < rank; ++i) {
        if (!reduced[i]) order.push_back(i);
        if (!reduced[i]) shape.push_back(x.size(i));
        else if (keepdim) shape.push_back(1);
    }
    for (int i = 0; i < rank; ++i) {
        if (!reduced[i]) continue;
        order.push_back(i);
        n *= x.size(i);
    }
    if (dims.size() == 1) return {contiguous(x), SliceView(x.shape(), last), shape};
    return {contiguous(x.permute(order)), SliceView(shape.product(), n, 1), shape};
}

// max + log_sum, or what the limit is where the maximum is infinite and log_sum therefore NaN.
template <class T>
T log_sum_exp_of(T max, T log_sum, const T* x, Index n, Index stride) {
    if (!std::isinf(max)) return max + log_sum;
    for (Index c = 0; c < n; ++c) {
        if (std::isnan(x[c * stride])) return x[c * stride];
    }
    return max;
}

Array logsumexp(const Array& x, const Dims& dims, bool keepdim) {
    check_as(ErrorKind::NotImplemented, !is_complex(x.dtype()), "logsumexp: not implemented for ",
             name_of(x.dtype()));
    const DType dtype = is_floating(x.dtype()) ? x.dtype() : DType::F32;
    const Reduced input = gather_axes(cast(x, compute_dtype(dtype)), dims, keepdim);
    const Array result = Array::empty(input.shape, input.dense.dtype());
    if (result.is_meta()) return cast(result, dtype);
    dispatch_real("logsumexp", result.dtype(), [&]<class T>() {
        const SoftmaxLoops<T>& loops = softmax_table().get<T>();
        const T* from = input.dense.data<T>();
        T* to = result.data<T>();
        SliceCut(input.view).run(kSecondsPerElement, [&](Index, const SliceBlock& block) {
            T max[SliceCut::kMaxSlices];
            loops.statistics(block.slices, from + block.start, max, to + block.first);
            const Index step = block.item_stride();
            for (Index i = 0; i < block.slices.count; ++i) {
                T& value = to[block.first + i];
                value = log_sum_exp_of(max[i], value, from + block.start + i * step, block.slices.n,
                                       block.slices.class_stride);
            }
        });
    });
    return cast(result, dtype);
}

}  // namespace

void bind_softmax(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("softmax", &softmax, "x"_a, "dim"_a, "dtype"_a = nanobind::none());
    m.def("log_softmax", &log_softmax, "x"_a, "dim"_a, "dtype"_a = nanobind::none());
    m.def("softmax_backward", &softmax_backward, "grad"_a, "result"_a, "dim"_a);
    m.def("log_softmax_backward", &log_softmax_backward, "grad"_a, "result"_a, "dim"_a);
    m.def("logsumexp", &logsumexp, "x"_a, "dims"_a, "keepdim"_a = false);
}

}  // namespace rushlight
