// The loop of dot_loops.h.
#include "kernels/dot_loops.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

// Four sums of 16 bytes of lanes each, as BLAS kernels for SSE keep them: PyTorch's results have
// these bits wherever its library takes that kernel. L-BFGS divides by differences of such sums, so
// that another rounding is seen in its state.
template <class T>
T dot(Index n, const T* a, const T* b) {
    constexpr int kLanes = 16 / int(sizeof(T)), kSums = 4, kWhole = kSums * kLanes;
    if (n < kLanes) {
        T sum = 0;
        for (Index i = 0; i < n; ++i) sum += a[i] * b[i];
        return sum;
    }
    T sums[kWhole] = {};
    Index at = 0;
    const auto add = [&](int count) {
        for (int i = 0; i < count; ++i) sums[i] += a[at + i] * b[at + i];
        at += count;
    };
    while (at + kWhole <= n) add(kWhole);
    if (at + 8 <= n) add(8);
    while (at + kLanes <= n) add(kLanes);
    for (; at < n; ++at) sums[0] += a[at] * b[at];
    for (int k = 1; k < kSums; ++k) {
        for (int i = 0; i < kLanes; ++i) sums[i] += sums[k * kLanes + i];
    }
    for (int half = kLanes / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
    }
    return sums[0];
}

}  // namespace

const DotTable& dot_table() {
    static constexpr DotTable table{&dot<float>, &dot<double>};
    return table;
}

}  // namespace rushlight::RUSHLIGHT_ISA
