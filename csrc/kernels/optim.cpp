// Optimizer steps: the numbers of each, from the options of a group and the counters of a state, for
// one pass over all its parameters (optim_rows.h) with its rule (optim.isa.cpp); and the clearing of
// gradients. What a step cannot do it leaves alone and returns: tensor operations do that.
#include "kernels/optim.h"

#include <cmath>

#include "kernels/optim_rows.h"

namespace rushlight {
namespace {

namespace nb = nanobind;
using optim::Key;
using optim::Options;
using optim::step_all;

// The keys of groups and states.
struct Keys {
    // groups
    Key lr{"lr"}, weight_decay{"weight_decay"}, maximize{"maximize"}, betas{"betas"}, eps{"eps"},
        momentum{"momentum"}, dampening{"dampening"}, nesterov{"nesterov"}, amsgrad{"amsgrad"},
        decoupled{"decoupled_weight_decay"}, momentum_decay{"momentum_decay"}, rho{"rho"},
        lr_decay{"lr_decay"}, alpha{"alpha"}, centered{"centered"}, etas{"etas"},
        step_sizes{"step_sizes"}, lambd{"lambd"}, t0{"t0"}, differentiable{"differentiable"},
        capturable{"capturable"};
    // states
    Key step{"step"}, momentum_buffer{"momentum_buffer"}, exp_avg{"exp_avg"},
        exp_avg_sq{"exp_avg_sq"}, max_exp_avg_sq{"max_exp_avg_sq"}, exp_inf{"exp_inf"},
        mu_product{"mu_product"}, square_avg{"square_avg"}, acc_delta{"acc_delta"}, sum{"sum"},
        grad_avg{"grad_avg"}, prev{"prev"}, step_size{"step_size"}, ax{"ax"}, eta{"eta"}, mu{"mu"};
};

const Keys& keys() {
    static const Keys made;
    return made;
}

// A recorded step, and one for graphs of an accelerator, are made of tensor operations.
bool by_ops(const Options& options) {
    return options.has_flag(keys().differentiable) || options.has_flag(keys().capturable);
}

CommonStep<double> common(const Options& options) {
    return {options.flag(keys().maximize) ? -1.0 : 1.0, 1, options.number(keys().weight_decay)};
}

// The same where decoupled_weight_decay may move the decay from the gradient to the parameter.
CommonStep<double> common_decoupled(const Options& options, double lr) {
    CommonStep<double> step = common(options);
    if (options.flag(keys().decoupled)) {
        step.keep = 1 - lr * step.weight_decay;
        step.weight_decay = 0;
    }
    return step;
}

// 1 - beta^t, kept from one parameter to the next: their counters rarely differ.
class BiasCorrection {
public:
    explicit BiasCorrection(double beta) : beta_(beta) {}
    double at(double t) {
        if (t != t_) value_ = 1 - std::pow(beta_, t_ = t);
        return value_;
    }

private:
    double beta_, t_ = -1, value_ = 0;
};

nb::object sgd_step(nb::handle params, nb::dict group, nb::dict state) {
    const Options options(group);
    if (by_ops(options)) return nb::borrow(params);
    const double momentum = options.number(keys().momentum);
    const SgdStep<double> step{common(options), options.number(keys().lr), momentum,
                               1 - options.number(keys().dampening),
                               double(options.flag(keys().nesterov))};
    const auto prepare = [&](const auto&) { return step; };
    if (momentum == 0) return step_all<SgdStep>(params, state, {}, {}, 0.4e-9, prepare);
    return step_all<SgdStep>(params, state, {&keys().momentum_buffer}, {}, 0.4e-9, prepare);
}

nb::object adam_step(nb::handle params, nb::dict group, nb::dict state) {
    const Options options(group);
    if (by_ops(options) || options.is_pair_of_tensors(keys().betas)) return nb::borrow(params);
    const auto [beta1, beta2] = options.pair(keys().betas);
    const double lr = options.number(keys().lr);
    BiasCorrection first(beta1), second(beta2);
    AdamStep<double> step{common_decoupled(options, lr), 1 - beta1, beta2, 1 - beta2, 0, 0,
                          options.number(keys().eps)};
    const Key* maxima = options.flag(keys().amsgrad) ? &keys().max_exp_avg_sq : nullptr;
    return step_all<AdamStep>(params, state, {&keys().exp_avg, &keys().exp_avg_sq, maxima},
                              {&keys().step}, 0.5e-9, [&](const auto& row) {
        const double t = row.count_up();
        step.step_size = lr / first.at(t);
        step.root = 1 / std::sqrt(second.at(t));
        return step;
    });
}

nb::object adamax_step(nb::handle params, nb::dict group, nb::dict state) {
    const Options options(group);
    if (by_ops(options)) return nb::borrow(params);
    const auto [beta1, beta2] = options.pair(keys().betas);
    const double lr = options.number(keys().lr);
    BiasCorrection first(beta1);
    AdamaxStep<double> step{common(options), 1 - beta1, beta2, 0, options.number(keys().eps)};
    return step_all<AdamaxStep>(params, state, {&keys().exp_avg, &keys().exp_inf}, {&keys().step},
                                0.5e-9, [&](const auto& row) {
        step.step_size = lr / first.at(row.count_up());
        return step;
    });
}

nb::object nadam_step(nb::handle params, nb::dict group, nb::dict state) {
    const Options options(group);
    if (by_ops(options)) return nb::borrow(params);
    const auto [beta1, beta2] = options.pair(keys().betas);
    const double b1 = beta1, lr = options.number(keys().lr);
    const double decay = options.number(keys().momentum_decay);
    BiasCorrection second(beta2);
    NAdamStep<double> step{common_decoupled(options, lr), 1 - beta1, beta2, 1 - beta2, 0,
                           options.number(keys().eps), 0, 0};
    const auto mu_at = [=](double t) { return b1 * (1 - 0.5 * std::pow(0.96, t * decay)); };
    return step_all<NAdamStep>(params, state, {&keys().exp_avg, &keys().exp_avg_sq},
                               {&keys().step, &keys().mu_product}, 0.5e-9, [&](const auto& row) {
        const double t = row.count_up(), mu = mu_at(t), next = mu_at(t + 1);
        const double product = row.multiply_counter(1, mu);
        step.root = 1 / std::sqrt(second.at(t));
        step.from_grad = -lr * (1 - mu) / (1 - product);
        step.from_mean = -lr * next / (1 - product * next);
        return step;
    });
}

nb::object radam_step(nb::handle params, nb::dict group, nb::dict state) {
    const Options options(group);
    if (by_ops(options)) return nb::borrow(params);
    const auto [beta1, beta2] = options.pair(keys().betas);
    const double lr = options.number(keys().lr), most = 2 / (1 - beta2) - 1;
    BiasCorrection first(beta1), second(beta2);
    RAdamStep<double> step{common_decoupled(options, lr), 1 - beta1, beta2, 1 - beta2, 0,
                           options.number(keys().eps), 0};
    return step_all<RAdamStep>(params, state, {&keys().exp_avg, &keys().exp_avg_sq},
                               {&keys().step}, 0.5e-9, [&](const auto& row) {
        // Length of the average so far; below 5 the variance of its root is not finite.
        const double t = row.count_up(), bias = second.at(t);
        const double length = most - 2 * t * (1 - bias) / bias;
        step.step_size = lr / first.at(t);
        step.adaptive = length > 5;
        if (length > 5) {
            step.step_size *= std::sqrt(bias * (length - 4) * (length - 2) * most /
                                        ((most - 4) * (most - 2) * length));
        }
        return step;
    });
}

nb::object adadelta_step(nb::handle params, nb::dict group, nb::dict state) {
    const Options options(group);
    if (by_ops(options)) return nb::borrow(params);
    const double rho = options.number(keys().rho);
    const AdadeltaStep<double> step{common(options), options.number(keys().lr), rho, 1 - rho,
                                    options.number(keys().eps)};
    return step_all<AdadeltaStep>(params, state, {&keys().square_avg, &keys().acc_delta},
                                  {&keys().step}, 0.6e-9, [&](const auto& row) {
        row.count_up();
        return step;
    });
}

nb::object adagrad_step(nb::handle params, nb::dict group, nb::dict state) {
    const Options options(group);
    if (by_ops(options)) return nb::borrow(params);
    const double lr = options.number(keys().lr), decay = options.number(keys().lr_decay);
    AdagradStep<double> step{common(options), 0, options.number(keys().eps)};
    return step_all<AdagradStep>(params, state, {&keys().sum}, {&keys().step}, 0.4e-9,
                                 [&](const auto& row) {
        step.lr = lr / (1 + (row.count_up() - 1) * decay);
        return step;
    });
}

nb::object rmsprop_step(nb::handle params, nb::dict group, nb::dict state) {
    const Options options(group);
    if (by_ops(options)) return nb::borrow(params);
    const double alpha = options.number(keys().alpha), momentum = options.number(keys().momentum);
    const bool centered = options.flag(keys().centered);
    const RmspropStep<double> step{common(options), options.number(keys().lr), alpha, 1 - alpha,
                                   options.number(keys().eps), momentum,
                                   double(centered)};
    // The rules take the average of the gradient first, then the buffer, if they have them.
    const Key* const mean = centered ? &keys().grad_avg : nullptr;
    const Key* const buffer = momentum > 0 ? &keys().momentum_buffer : nullptr;
    return step_all<RmspropStep>(
        params, state, {&keys().square_avg, mean ? mean : buffer, mean ? buffer : nullptr},
        {&keys().step}, 0.5e-9, [&](const auto& row) {
            row.count_up();
            return step;
        });
}

nb::object rprop_step(nb::handle params, nb::dict group, nb::dict state) {
    const Options options(group);
    if (by_ops(options)) return nb::borrow(params);
    const auto [minus, plus] = options.pair(keys().etas);
    const auto [least, most] = options.pair(keys().step_sizes);
    const double sign = options.flag(keys().maximize) ? -1 : 1;
    const RpropStep<double> step{{sign, 1, 0}, minus, plus, least, most};
    return step_all<RpropStep>(params, state, {&keys().prev, &keys().step_size}, {&keys().step},
                               0.4e-9, [&](const auto& row) {
        row.count_up();
        return step;
    });
}

nb::object asgd_step(nb::handle params, nb::dict group, nb::dict state) {
    const Options options(group);
    if (by_ops(options)) return nb::borrow(params);
    const double lr = options.number(keys().lr), lambd = options.number(keys().lambd);
    const double alpha = options.number(keys().alpha), t0 = options.number(keys().t0);
    AsgdStep<double> step{common(options), 0, 0, 0};
    return step_all<AsgdStep>(params, state, {&keys().ax},
                              {&keys().step, &keys().eta, &keys().mu}, 0.4e-9,
                              [&](const auto& row) {
        const double t = row.count_up();
        step.eta = row.counter(1);  // of the step before
        step.shrink = 1 - lambd * step.eta;
        step.mu = row.counter(2);
        row.set_counter(1, lr / std::pow(1 + lambd * lr * t, alpha));
        row.set_counter(2, 1 / std::max(1.0, t - t0));
        return step;
    });
}

// Sets `grad` of all parameters to None.
void clear_grads(nb::handle params) {
    const optim::Params list(params);
    for (Index i = 0; i < list.size(); ++i) {
        const PyRef param = PyRef::borrow(list[i]);  // a finalizer may change the list
        Py_CLEAR(as_tensor(param.get())->grad);
    }
}

}  // namespace

void bind_optim(nb::module_& m) {
    using namespace nanobind::literals;
    // step(params, group, state): params, often group["params"]; the options; a dict from a
    // parameter to the dict of its state. Returns the parameters that it left alone, or None.
    const auto bind = [&](const char* name, auto* step) {
        m.def(name, step, "params"_a, "group"_a, "state"_a);
    };
    bind("sgd_step", &sgd_step);
    bind("adam_step", &adam_step);
    bind("adamax_step", &adamax_step);
    bind("nadam_step", &nadam_step);
    bind("radam_step", &radam_step);
    bind("adadelta_step", &adadelta_step);
    bind("adagrad_step", &adagrad_step);
    bind("rmsprop_step", &rmsprop_step);
    bind("rprop_step", &rprop_step);
    bind("asgd_step", &asgd_step);
    m.def("clear_grads", &clear_grads, "params"_a);
}

}  // namespace rushlight
