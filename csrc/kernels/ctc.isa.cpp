// The loops of ctc_loops.h.
#include "kernels/ctc_loops.h"

#include "elementwise/math.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

template <class T>
void advance(Index states, const T* stay, const T* step, const T* skip, const T* allowed,
             const T* log_prob, T* now) {
#pragma GCC ivdep
    for (Index s = 0; s < states; ++s) {
        const T a = stay[s], b = step[s], c = skip[s] + allowed[s];
        const T two = a > b ? a : b, top = two > c ? two : c;
        const T base = top == -math::kInfinity<T> ? T(0) : top;  // the logarithm of nothing is -inf
        const T sum = math::exp(a - base) + math::exp(b - base) + math::exp(c - base);
        now[s] = base + math::log(sum) + log_prob[s];
    }
}

template <class T>
void shares(Index states, const T* alpha, const T* beta, const T* log_prob, T loss, T* share) {
#pragma GCC ivdep
    for (Index s = 0; s < states; ++s) {
        share[s] = math::exp(alpha[s] + beta[s] - log_prob[s] + loss);
    }
}

template <class T>
void gradient(Index classes, const T* log_prob, T loss, T grad, T* out) {
#pragma GCC ivdep
    for (Index c = 0; c < classes; ++c) {
        const T defined = (loss - log_prob[c]) * T(0);
        out[c] = (math::exp(log_prob[c]) - (out[c] + defined)) * grad;
    }
}

template <class T>
constexpr CtcLoops<T> loops_of{&advance<T>, &shares<T>, &gradient<T>};

}  // namespace

const CtcTable& ctc_table() {
    static constexpr CtcTable table{loops_of<float>, loops_of<double>};
    return table;
}

}  // namespace rushlight::RUSHLIGHT_ISA
