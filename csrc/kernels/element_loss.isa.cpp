// The loops of element_loss_loops.h: each loss as its value and its slope for one element.
#include "kernels/element_loss_loops.h"

#include "elementwise/math.h"
#include "kernels/lanes.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

struct Squared {
    template <class T>
    static T value(T x, T t, T) { return (x - t) * (x - t); }
    template <class T>
    static T slope(T x, T t, T) { return T(2) * (x - t); }
};

struct Absolute {
    template <class T>
    static T value(T x, T t, T) { return math::abs(x - t); }
    template <class T>
    static T slope(T x, T t, T) {
        const T d = x - t;
        return T(d > 0) - T(d < 0);
    }
};

// d held to [-width, width]
template <class T>
[[gnu::always_inline]] inline T hold(T d, T width) {
    d = d > width ? width : d;
    return d < -width ? -width : d;
}

struct SmoothL1 {
    template <class T>
    static T value(T x, T t, T width) {
        const T d = math::abs(x - t);
        return d < width ? T(0.5) * d * d / width : d - T(0.5) * width;
    }
    template <class T>
    static T slope(T x, T t, T width) { return hold(x - t, width) / width; }
};

struct Huber {
    template <class T>
    static T value(T x, T t, T width) {
        const T d = math::abs(x - t);
        return d <= width ? T(0.5) * d * d : width * (d - T(0.5) * width);
    }
    template <class T>
    static T slope(T x, T t, T width) { return hold(x - t, width); }
};

struct LogitsCross {
    template <class T>
    static T value(T x, T t, T) {
        const T low = x > 0 ? T(0) : -x;
        return (T(1) - t) * x + (low + math::log1p(math::exp(-math::abs(x))));
    }
    template <class T>
    static T slope(T x, T t, T) { return math::sigmoid(x) - t; }
};

template <class Loss, class T>
void forward(const T* __restrict__ input, const T* __restrict__ target, T width, Index n,
             T* __restrict__ out) {
    for (Index i = 0; i < n; ++i) out[i] = Loss::value(input[i], target[i], width);
}

template <class Loss, class T>
double total(const T* input, const T* target, T width, Index n) {
    constexpr Index piece = 1024;
    T values[piece];
    double sum = 0;
    for (Index first = 0; first < n; first += piece) {
        const Index count = n - first < piece ? n - first : piece;
        forward<Loss>(input + first, target + first, width, count, values);
        const T* from = values;
        sum += double(lane_sum<T>(count, [from](auto load, Index i) { return load(from + i); }));
    }
    return sum;
}

template <class Loss, class T>
void backward(const T* __restrict__ input, const T* __restrict__ target, T width,
              const T* __restrict__ grad, T scale, Index n, T* __restrict__ out) {
    if (grad) {
        for (Index i = 0; i < n; ++i)
            out[i] = Loss::slope(input[i], target[i], width) * (scale * grad[i]);
    } else {
        for (Index i = 0; i < n; ++i) out[i] = Loss::slope(input[i], target[i], width) * scale;
    }
}

template <class T>
constexpr ElementLossLoops<T> loops_of() {
    return {
        {forward<Squared, T>, forward<Absolute, T>, forward<SmoothL1, T>, forward<Huber, T>,
         forward<LogitsCross, T>},
        {total<Squared, T>, total<Absolute, T>, total<SmoothL1, T>, total<Huber, T>,
         total<LogitsCross, T>},
        {backward<Squared, T>, backward<Absolute, T>, backward<SmoothL1, T>, backward<Huber, T>,
         backward<LogitsCross, T>},
    };
}

constexpr ElementLossTable kTable{loops_of<float>(), loops_of<double>()};

}  // namespace

const ElementLossTable& element_loss_table() { return kTable; }

}  // namespace rushlight::RUSHLIGHT_ISA
