// The arithmetic of the optimizers. A rule takes one element from p to its next value and updates
// what it remembers about it; `pass` makes a vectorised loop of it. The order of operations, and
// where a product and a sum are rounded once, are those of PyTorch's vectorised operations, which
// these loops run in one pass; a division by a constant is a product with its inverse.
#include "kernels/optim.h"

#if defined(__GNUC__) && !defined(__clang__)
// Where a number of the step chooses, a blend in the one loop costs nothing; two loops cost size.
#pragma GCC optimize("no-unswitch-loops")
#endif

#include "elementwise/math.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;
using math::mad;

// m moved towards g by `weight`, from the end that is nearer.
template <class T>
[[gnu::always_inline]] inline T lerp(T m, T g, T weight) {
    const bool near = weight < T(0.5);
    return mad(near ? weight : weight - 1, g - m, near ? m : g);
}

template <class T>
struct PlainSgd : SgdStep<T> {
    T operator()(T p, T g) const { return mad(g, -this->lr, p); }
};

template <class T, bool nesterov>
struct MomentumSgd : SgdStep<T> {
    T operator()(T p, T g, T& buffer) const {
        buffer = mad(g, this->fresh, buffer * this->momentum);
        return mad(nesterov ? mad(buffer, this->momentum, g) : buffer, -this->lr, p);
    }
};

template <class T>
struct Adam : AdamStep<T> {
    T operator()(T p, T g, T& m, T& v) const {
        m = lerp(m, g, this->blend1);
        v = mad(this->blend2 * g, g, v * this->beta2);
        return towards(p, m, v);
    }
    T towards(T p, T m, T v) const {
        return p - this->step_size * m / mad(math::sqrt(v), this->root, this->eps);
    }
};

template <class T>
struct Amsgrad : Adam<T> {
    T operator()(T p, T g, T& m, T& v, T& most) const {
        m = lerp(m, g, this->blend1);
        v = mad(this->blend2 * g, g, v * this->beta2);
        most = most > v || most != most ? most : v;  // a NaN on either side wins
        return this->towards(p, m, most);
    }
};

template <class T>
struct Adamax : AdamaxStep<T> {
    T operator()(T p, T g, T& m, T& most) const {
        m = lerp(m, g, this->blend1);
        const T before = most * this->beta2, now = math::abs(g) + this->eps;
        most = before > now || before != before ? before : now;
        return p - this->step_size * m / most;
    }
};

template <class T>
struct NAdam : NAdamStep<T> {
    T operator()(T p, T g, T& m, T& v) const {
        m = lerp(m, g, this->blend1);
        v = mad(this->blend2 * g, g, v * this->beta2);
        const T step = mad(this->from_mean, m, this->from_grad * g);
        return p + step / mad(math::sqrt(v), this->root, this->eps);
    }
};

template <class T>
struct RAdam : RAdamStep<T> {
    T operator()(T p, T g, T& m, T& v) const {
        m = lerp(m, g, this->blend1);
        v = mad(this->blend2 * g, g, v * this->beta2);
        const T scale = this->adaptive != 0 ? math::sqrt(v) + this->eps : T(1);
        return p - this->step_size * m / scale;
    }
};

template <class T>
struct Adadelta : AdadeltaStep<T> {
    T operator()(T p, T g, T& v, T& u) const {
        v = mad(this->fresh * g, g, v * this->rho);
        // One root of a quotient instead of a quotient of roots would overflow earlier.
        const T delta = math::sqrt(u + this->eps) / math::sqrt(v + this->eps) * g;
        u = mad(this->fresh * delta, delta, u * this->rho);
        return mad(delta, -this->lr, p);
    }
};

template <class T>
struct Adagrad : AdagradStep<T> {
    T operator()(T p, T g, T& sum) const {
        sum = mad(g, g, sum);
        return p - this->lr * g / (math::sqrt(sum) + this->eps);
    }
};

template <class T, bool centered>
struct Rmsprop : RmspropStep<T> {
    T scale(T g, T& v, T& mean) const {
        v = mad(this->fresh * g, g, v * this->alpha);
        if constexpr (!centered) return math::sqrt(v) + this->eps;
        mean = lerp(mean, g, this->fresh);
        return math::sqrt(mad(-mean, mean, v)) + this->eps;
    }
};

template <class T>
struct PlainRmsprop : Rmsprop<T, false> {
    T operator()(T p, T g, T& v) const { return p - this->lr * g / this->scale(g, v, v); }
};

template <class T>
struct CenteredRmsprop : Rmsprop<T, true> {
    T operator()(T p, T g, T& v, T& mean) const {
        return p - this->lr * g / this->scale(g, v, mean);
    }
};

template <class T>
struct MomentumRmsprop : Rmsprop<T, false> {
    T operator()(T p, T g, T& v, T& buffer) const {
        buffer = mad(buffer, this->momentum, g / this->scale(g, v, v));
        return mad(buffer, -this->lr, p);
    }
};

template <class T>
struct CenteredMomentumRmsprop : Rmsprop<T, true> {
    T operator()(T p, T g, T& v, T& mean, T& buffer) const {
        buffer = mad(buffer, this->momentum, g / this->scale(g, v, mean));
        return mad(buffer, -this->lr, p);
    }
};

template <class T>
struct Rprop : RpropStep<T> {
    T operator()(T p, T g, T& before, T& size) const {
        const T turn = g * before;
        const T factor = turn > 0 ? this->eta_plus : turn < 0 ? this->eta_minus : T(1);
        T next = size * factor;
        next = next < this->least ? this->least : next;
        next = next > this->most ? this->most : next;
        size = next;
        const T slope = turn < 0 ? T(0) : g;
        before = slope;
        const T direction = slope > 0 ? T(1) : slope < 0 ? T(-1) : T(0);
        return mad(direction, -size, p);
    }
};

template <class T>
struct Asgd : AsgdStep<T> {
    T operator()(T p, T g, T& average) const {
        const T next = mad(g, -this->eta, p * this->shrink);
        average = this->mu == 1 ? next : average + (next - average) * this->mu;
        return next;
    }
};

// ---- loops

// Not inlined: __restrict__ is lost there.
template <class Rule, bool decay, class T>
[[gnu::noinline]] void loop(const Rule& given, Index n, T* __restrict__ p, const T* __restrict__ g, T* __restrict__ a,
          T* __restrict__ b, T* __restrict__ c) {
    const Rule rule = given;  // by value: the compiler sees that the stores leave it alone
    for (Index i = 0; i < n; ++i) {
        T value = p[i], grad = rule.sign * g[i];
        if constexpr (decay) {
            value *= rule.keep;
            // Not a product with 0, which an infinite parameter would make a NaN.
            grad = rule.weight_decay != 0 ? mad(value, rule.weight_decay, grad) : grad;
        }
        if constexpr (std::is_invocable_v<Rule, T, T>) {
            p[i] = rule(value, grad);
        } else if constexpr (std::is_invocable_v<Rule, T, T, T&>) {
            p[i] = rule(value, grad, a[i]);
        } else if constexpr (std::is_invocable_v<Rule, T, T, T&, T&>) {
            p[i] = rule(value, grad, a[i], b[i]);
        } else {
            p[i] = rule(value, grad, a[i], b[i], c[i]);
        }
    }
}

// Runs the rule with the numbers of its step.
template <class Rule, class Step, class T>
void pass(const Step& step, Index n, T* p, const T* g, T* const* states) {
    const Rule rule{step};
    if (step.keep != 1 || step.weight_decay != 0) {
        loop<Rule, true>(rule, n, p, g, states[0], states[1], states[2]);
    } else {
        loop<Rule, false>(rule, n, p, g, states[0], states[1], states[2]);
    }
}

template <class T>
void sgd(const SgdStep<T>& step, Index n, T* p, const T* g, T* const* states) {
    if (!states[0]) pass<PlainSgd<T>>(step, n, p, g, states);
    else if (step.nesterov != 0) pass<MomentumSgd<T, true>>(step, n, p, g, states);
    else pass<MomentumSgd<T, false>>(step, n, p, g, states);
}

template <class T>
void adam(const AdamStep<T>& step, Index n, T* p, const T* g, T* const* states) {
    if (states[2]) pass<Amsgrad<T>>(step, n, p, g, states);
    else pass<Adam<T>>(step, n, p, g, states);
}

template <class T>
void rmsprop(const RmspropStep<T>& step, Index n, T* p, const T* g, T* const* states) {
    const bool heavy = step.momentum > 0;
    if (step.centered != 0) {
        if (heavy) pass<CenteredMomentumRmsprop<T>>(step, n, p, g, states);
        else pass<CenteredRmsprop<T>>(step, n, p, g, states);
    } else {
        if (heavy) pass<MomentumRmsprop<T>>(step, n, p, g, states);
        else pass<PlainRmsprop<T>>(step, n, p, g, states);
    }
}

template <class T>
constexpr OptimLoops<T> loops_of{
    {&sgd<T>},
    {&adam<T>},
    {&pass<Adamax<T>, AdamaxStep<T>, T>},
    {&pass<NAdam<T>, NAdamStep<T>, T>},
    {&pass<RAdam<T>, RAdamStep<T>, T>},
    {&pass<Adadelta<T>, AdadeltaStep<T>, T>},
    {&pass<Adagrad<T>, AdagradStep<T>, T>},
    {&rmsprop<T>},
    {&pass<Rprop<T>, RpropStep<T>, T>},
    {&pass<Asgd<T>, AsgdStep<T>, T>},
};

}  // namespace

const OptimTable& optim_table() {
    static constexpr OptimTable table{loops_of<float>, loops_of<double>};
    return table;
}

}  // namespace rushlight::RUSHLIGHT_ISA
