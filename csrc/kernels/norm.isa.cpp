// The loops of norm_loops.h. A row is read twice or three times while it is in the cache: the sums
// (see lanes.h), then the elements.
#include "kernels/norm_loops.h"

#include "elementwise/math_basic.h"
#include "kernels/lanes.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

template <class T>
T rstd_of(T sum_of_squares, Index n, double eps) {
    return T(1.0 / math::sqrt(double(sum_of_squares) / double(n) + eps));
}

// y = (x - mean) scale weight + bias
template <class T>
[[gnu::always_inline]] inline void scale_row(const T* __restrict__ x, T mean, T scale,
                                             const T* __restrict__ weight,
                                             const T* __restrict__ bias, Index n,
                                             T* __restrict__ y) {
    if (weight && bias) {
        for (Index i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
    } else if (weight) {
        for (Index i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale * weight[i];
    } else if (bias) {
        for (Index i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale + bias[i];
    } else {
        for (Index i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale;
    }
}

template <class T>
void layer_norm(const NormRows<T>& in, const T* bias, double eps, T* y) {
    const Index n = in.n;
    for (Index r = 0; r < in.rows; ++r) {
        const T* x = in.x + r * n;
        const T sum = lane_sum<T>(n, [x](auto load, Index i) { return load(x + i); });
        const T mean = sum / T(n);
        const T squares = lane_sum<T>(n, [x, mean](auto load, Index i) {
            const auto centered = load(x + i) - mean;
            return centered * centered;
        });
        in.mean[r] = mean;
        in.rstd[r] = rstd_of(squares, n, eps);
        scale_row(x, mean, in.rstd[r], in.weight, bias, n, y + r * n);
    }
}

template <class T>
void rms_norm(const NormRows<T>& in, double eps, T* y) {
    const Index n = in.n;
    for (Index r = 0; r < in.rows; ++r) {
        const T* x = in.x + r * n;
        const T squares =
            lane_sum<T>(n, [x](auto load, Index i) { return load(x + i) * load(x + i); });
        in.rstd[r] = rstd_of(squares, n, eps);
        scale_row<T>(x, T(0), in.rstd[r], in.weight, nullptr, n, y + r * n);
    }
}

// dweight += grad x_hat, dbias += grad, where x_hat = (x - mean) rstd
template <class T>
[[gnu::always_inline]] inline void add_affine(const T* __restrict__ grad, const T* __restrict__ x,
                                              T mean, T rstd, Index n, T* __restrict__ dweight,
                                              T* __restrict__ dbias) {
    if (dweight) {
        for (Index i = 0; i < n; ++i) dweight[i] += grad[i] * ((x[i] - mean) * rstd);
    }
    if (dbias) {
        for (Index i = 0; i < n; ++i) dbias[i] += grad[i];
    }
}

// dx = rstd (g - mean(g) - x_hat mean(g x_hat)) with g = grad weight; without the mean(g) for RMS
// norm, where it is not a constant that was subtracted.
template <bool centered, bool weighted, class T>
[[gnu::always_inline]] inline void input_gradient(const T* __restrict__ grad,
                                                  const T* __restrict__ x,
                                                  const T* __restrict__ weight, T mean, T rstd,
                                                  Index n, T* __restrict__ dx) {
    const auto weigh = [grad, weight](auto load, Index i) {
        if constexpr (weighted) return load(grad + i) * load(weight + i);
        else return load(grad + i);
    };
    const SumPair<T> sums = lane_sums<T>(n, [&](auto load, Index i, auto& one, auto& two) {
        one = weigh(load, i);
        two = one * ((load(x + i) - mean) * rstd);
    });
    const T shift = centered ? sums.first / T(n) : T(0);
    const T slope = sums.second / T(n);
    for (Index i = 0; i < n; ++i) {
        dx[i] = rstd * (weigh(Load<T>(), i) - shift - (x[i] - mean) * rstd * slope);
    }
}

template <bool centered, class T>
void backward(const NormRows<T>& in, const T* grad, T* dx, T* dweight, T* dbias) {
    const Index n = in.n;
    for (Index r = 0; r < in.rows; ++r) {
        const T *x = in.x + r * n, *g = grad + r * n;
        const T mean = centered ? in.mean[r] : T(0), rstd = in.rstd[r];
        if (dx && in.weight) {
            input_gradient<centered, true>(g, x, in.weight, mean, rstd, n, dx + r * n);
        } else if (dx) {
            input_gradient<centered, false>(g, x, in.weight, mean, rstd, n, dx + r * n);
        }
        add_affine(g, x, mean, rstd, n, dweight, dbias);
    }
}

template <class T>
void layer_norm_backward(const NormRows<T>& in, const T* grad, T* dx, T* dweight, T* dbias) {
    backward<true>(in, grad, dx, dweight, dbias);
}
template <class T>
void rms_norm_backward(const NormRows<T>& in, const T* grad, T* dx, T* dweight) {
    backward<false, T>(in, grad, dx, dweight, nullptr);
}

template <class T>
void add_parts(T* __restrict__ parts, Index count, Index n) {
    for (Index c = 1; c < count; ++c) {
        const T* __restrict__ part = parts + c * n;
        for (Index i = 0; i < n; ++i) parts[i] += part[i];
    }
}

template <class T>
constexpr NormLoops<T> loops_of() {
    return {layer_norm<T>, rms_norm<T>, layer_norm_backward<T>, rms_norm_backward<T>,
            add_parts<T>};
}

constexpr NormTable kTable{loops_of<float>(), loops_of<double>()};

}  // namespace

const NormTable& norm_table() { return kTable; }

}  // namespace rushlight::RUSHLIGHT_ISA
