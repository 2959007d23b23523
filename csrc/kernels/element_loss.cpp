// Losses of input and target element by element, reduced in the same pass, and their gradients.
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nanobind/stl/array.h>

#include "array/launch.h"
#include "bind/casters.h"
#include "kernels/element_loss_loops.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

constexpr Index kElementsPerTask = 16384;
constexpr double kSecondsPerElement = 0.5e-9;

enum Reduction : int { kNone, kMean, kSum };

Reduction reduction_named(std::string_view name) {
    check_as(ErrorKind::Value, name == "none" || name == "mean" || name == "sum", name,
             " is not a valid value for reduction: choose none, mean or sum");
    return name == "none" ? kNone : name == "mean" ? kMean : kSum;
}

int number_of(int loss) {
    check(loss >= 0 && loss < kElementLosses, "element_loss: no loss of number ", loss);
    return loss;
}

// Input and target in one shape and dtype, and in the dtype that is computed in.
struct Pair {
    Dims shape;
    DType dtype, computed;
    Array input, target;

    Pair(std::string_view what, const Array& x, const Array& t)
        : shape(broadcast_shapes(what, x.shape(), t.shape())),
          dtype(promote(x.dtype(), t.dtype())),
          computed(is_half(dtype) ? DType::F32 : dtype) {
        check_as(ErrorKind::NotImplemented, is_floating(dtype), what, ": not implemented for ",
                 name_of(dtype), ", expected floating point tensors");
        input = dense(x);
        target = dense(t);
    }

private:
    Array dense(const Array& x) const {
        return contiguous(x.shape() == shape ? cast(x, computed) : cast(x, computed).expand(shape));
    }
};

// Calls f(task, first, count); some tens of microseconds of work each.
template <class F>
void for_parts(Index n, F&& f) {
    const Index tasks = (n + kElementsPerTask - 1) / kElementsPerTask;
    const auto run = [&](Index task) {
        const Index first = task * kElementsPerTask;
        f(task, first, std::min(kElementsPerTask, n - first));
    };
    parallel_for(tasks, 100e-9 + kElementsPerTask * kSecondsPerElement, run);
}

// `loss` is the number of a row of element_loss.isa.cpp, `width` that of its parabola if it has one.
Array element_loss(const Array& x, const Array& t, const std::string& reduced, double width,
                   int loss) {
    const Reduction reduction = reduction_named(reduced);
    const Pair pair("element_loss", x, t);
    const Index n = pair.shape.product();
    const Array result = Array::empty(reduction == kNone ? pair.shape : Dims(), pair.computed);
    if (result.is_meta()) return cast(result, pair.dtype);
    dispatch_real("element_loss", pair.computed, [&]<class T>() {
        const auto& loops = element_loss_table().get<T>();
        const auto each = loops.forward[number_of(loss)];
        const auto total = loops.total[number_of(loss)];
        const T *input = pair.input.address_of<T>(), *target = pair.target.address_of<T>();
        T* out = result.address_of<T>();
        const auto finish = [=](double sum) {
            *out = T(reduction == kMean ? sum / double(n) : sum);
        };
        const Touches touches{&pair.input, &pair.target, &result};
        if (n <= kElementsPerTask) {
            return launch(double(n) * kSecondsPerElement, touches, [=] {
                if (reduction == kNone) each(input, target, T(width), n, out);
                else finish(total(input, target, T(width), n));
            });
        }
        wait_for(touches);
        if (reduction == kNone) {
            return for_parts(n, [&](Index, Index first, Index count) {
                each(input + first, target + first, T(width), count, out + first);
            });
        }
        double sum = 0;
        std::vector<double> parts(std::size_t((n + kElementsPerTask - 1) / kElementsPerTask));
        for_parts(n, [&](Index task, Index first, Index count) {
            parts[std::size_t(task)] = total(input + first, target + first, T(width), count);
        });
        for (double part : parts) sum += part;
        finish(sum);
    });
    return cast(result, pair.dtype);
}

// sign times the gradient of the input, in the common shape of input and target.
Array slope(const Array& grad, const Array& x, const Array& t, std::string_view reduced,
            double width, int loss, double sign) {
    const Reduction reduction = reduction_named(reduced);
    const Pair pair("element_loss_backward", x, t);
    const Index n = pair.shape.product();
    check(grad.shape() == (reduction == kNone ? pair.shape : Dims()),
          "element_loss_backward: a gradient of shape ", grad.shape(), " does not fit the loss");
    const Array result = Array::empty(pair.shape, pair.computed);
    if (result.is_meta()) return cast(result, pair.dtype);
    const Array upstream = contiguous(cast(grad, pair.computed));
    dispatch_real("element_loss_backward", pair.computed, [&]<class T>() {
        const auto loop = element_loss_table().get<T>().backward[number_of(loss)];
        const auto scale_of = [=](const T* g) {
            const T times = reduction == kNone ? T(1) : reduction == kMean ? *g / T(n) : *g;
            return T(sign) * times;
        };
        const T *input = pair.input.address_of<T>(), *target = pair.target.address_of<T>();
        const T* g = upstream.address_of<T>();
        T* out = result.address_of<T>();
        const Touches touches{&pair.input, &pair.target, &upstream, &result};
        if (n <= kElementsPerTask) {
            return launch(double(n) * kSecondsPerElement, touches, [=] {
                loop(input, target, T(width), reduction == kNone ? g : nullptr, scale_of(g), n, out);
            });
        }
        wait_for(touches);
        const T scale = scale_of(g);
        for_parts(n, [&](Index, Index first, Index count) {
            loop(input + first, target + first, T(width), reduction == kNone ? g + first : nullptr,
                 scale, count, out + first);
        });
    });
    return cast(result, pair.dtype);
}

// The gradients of input and target, which are each other's negatives; None where not needed.
std::pair<Array, Array> difference_loss_backward(const Array& grad, const Array& x, const Array& t,
                                                 const std::string& reduction, double width,
                                                 int loss, std::array<bool, 2> needs) {
    const auto gradient = [&](bool needed, double sign) {
        return needed ? slope(grad, x, t, reduction, width, loss, sign) : Array();
    };
    return {gradient(needs[0], 1), gradient(needs[1], -1)};
}

Array element_loss_backward(const Array& grad, const Array& x, const Array& t,
                            const std::string& reduction, double width, int loss) {
    return slope(grad, x, t, reduction, width, loss, 1);
}

}  // namespace

void bind_element_loss(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("element_loss", &element_loss, "x"_a, "target"_a, "reduction"_a, "width"_a, "loss"_a);
    m.def("element_loss_backward", &element_loss_backward, "grad"_a, "x"_a, "target"_a,
          "reduction"_a, "width"_a, "loss"_a);
    m.def("difference_loss_backward", &difference_loss_backward, "grad"_a, "x"_a, "target"_a,
          "reduction"_a, "width"_a, "loss"_a, "needs"_a);
}

}  // namespace rushlight
