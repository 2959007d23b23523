// The loops of optim.h. The order of operations, and where a product and a sum are rounded once,
// are those of PyTorch's vectorised operations, which these loops run in one pass.
#include "kernels/optim.h"

#include "elementwise/math.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;
using math::mad;

enum class Momentum { None, Heavy, Nesterov };

template <bool decay, Momentum momentum, class T>
void sgd_loop(const SgdStep<T>& step, Index n, T* __restrict__ p, const T* __restrict__ g,
              T* __restrict__ b) {
    const SgdStep<T> s = step;  // by value: the compiler sees that the stores leave it alone
    for (Index i = 0; i < n; ++i) {
        T grad = s.sign * g[i];
        if constexpr (decay) grad = mad(p[i], s.weight_decay, grad);
        if constexpr (momentum != Momentum::None) {
            const T buffer = mad(grad, s.fresh, b[i] * s.momentum);
            b[i] = buffer;
            grad = momentum == Momentum::Nesterov ? mad(buffer, s.momentum, grad) : buffer;
        }
        p[i] = mad(grad, -s.lr, p[i]);
    }
}

template <class T>
void sgd(const SgdStep<T>& step, Index n, T* p, const T* g, T* b) {
    const bool decay = step.weight_decay != 0;
    if (!b) {
        (decay ? sgd_loop<true, Momentum::None, T> : sgd_loop<false, Momentum::None, T>)(
            step, n, p, g, b);
    } else if (!step.nesterov) {
        (decay ? sgd_loop<true, Momentum::Heavy, T> : sgd_loop<false, Momentum::Heavy, T>)(
            step, n, p, g, b);
    } else {
        (decay ? sgd_loop<true, Momentum::Nesterov, T> : sgd_loop<false, Momentum::Nesterov, T>)(
            step, n, p, g, b);
    }
}

enum class Decay { None, Coupled, Decoupled };

template <Decay decay, bool maxima, bool near, class T>
void adam_loop(const AdamStep<T>& step, Index n, T* __restrict__ p, const T* __restrict__ g,
               T* __restrict__ m, T* __restrict__ v, T* __restrict__ w) {
    const AdamStep<T> s = step;
    for (Index i = 0; i < n; ++i) {
        T value = p[i], grad = s.sign * g[i];
        if constexpr (decay == Decay::Decoupled) value *= s.keep;
        if constexpr (decay == Decay::Coupled) grad = mad(value, s.weight_decay, grad);
        // Interpolates from the end that is nearer.
        const T mean = near ? mad(s.blend1, grad - m[i], m[i])
                            : mad(s.blend1 - T(1), grad - m[i], grad);
        T square = mad(s.blend2 * grad, grad, v[i] * s.beta2);
        m[i] = mean;
        v[i] = square;
        if constexpr (maxima) {
            // A NaN on either side wins, as in torch.maximum.
            const T before = w[i];
            square = before > square || before != before ? before : square;
            w[i] = square;
        }
        p[i] = value - s.step_size * mean / (math::sqrt(square) / s.root + s.eps);
    }
}

template <Decay decay, class T>
void adam_with(const AdamStep<T>& step, Index n, T* p, const T* g, T* m, T* v, T* w) {
    const bool near = step.blend1 < T(0.5);
    if (w) (near ? adam_loop<decay, true, true, T> : adam_loop<decay, true, false, T>)(
        step, n, p, g, m, v, w);
    else (near ? adam_loop<decay, false, true, T> : adam_loop<decay, false, false, T>)(
        step, n, p, g, m, v, w);
}

template <class T>
void adam(const AdamStep<T>& step, Index n, T* p, const T* g, T* m, T* v, T* w) {
    if (step.weight_decay != 0) adam_with<Decay::Coupled>(step, n, p, g, m, v, w);
    else if (step.keep != 1) adam_with<Decay::Decoupled>(step, n, p, g, m, v, w);
    else adam_with<Decay::None>(step, n, p, g, m, v, w);
}

template <class T>
constexpr OptimLoops<T> loops_of{&sgd<T>, &adam<T>};

}  // namespace

const OptimTable& optim_table() {
    static constexpr OptimTable table{loops_of<float>, loops_of<double>};
    return table;
}

}  // namespace rushlight::RUSHLIGHT_ISA
