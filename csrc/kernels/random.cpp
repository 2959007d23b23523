// Random tensors: what joins the streams of runtime/sampling.h to arrays of any layout, and the
// Python class Generator.
#include <mutex>

#include "bind/casters.h"
#include "elementwise/layout.h"
#include "kernels/axis_walk.h"
#include "runtime/generator.h"
#include "runtime/sampling.h"

namespace rushlight {

namespace {

// Rough seconds an element, by which long draws let go of the GIL.
constexpr double kCheap = 1e-9, kDear = 20e-9;

// `generator` is null where the caller's was None. Draws are in sequence and hold its lock.
template <class F>
void draw(Generator* generator, Index count, double seconds_each, F&& f) {
    check(!Generator::refused,
          "vmap: called random operation while in randomness error mode. Say what is meant with "
          "vmap(..., randomness='same') or 'different', or draw outside of the function; where "
          "'different' was given, this draw has no form with a batch.");
    Generator& source = generator ? *generator : default_generator();
    parallel_for(1, seconds_each * double(count), [&](Index) {
        const std::lock_guard lock(source.mutex());
        f(source);
    });
}

sampling::Output output(const Array& x) {
    return {x.dtype(), x.bytes(), std::size_t(x.numel())};
}
sampling::Input input(const Array& x) { return {x.dtype(), x.bytes(), std::size_t(x.numel())}; }

// ---- layouts

// The axes in the order in which PyTorch walks a tensor that it writes: the largest stride first,
// so that memory is filled from front to back. Axes of equal stride, or stride 0, keep their order.
Dims memory_order(const Array& x) {
    const int rank = x.ndim();
    // Is `inner` to be outside of `outer`? 1 yes, -1 no, 0 undecided.
    const auto compare = [&](Index inner, Index outer) {
        const Index a = x.stride(int(inner)), b = x.stride(int(outer));
        if (a == 0 || b == 0) return 0;
        if (a != b) return a > b ? 1 : -1;
        return x.size(int(inner)) > x.size(int(outer)) ? 1 : 0;
    };
    Dims order(rank);  // innermost first
    for (int i = 0; i < rank; ++i) order[i] = rank - 1 - i;
    for (int i = 1; i < rank; ++i) {
        int moving = i;
        for (int place = i - 1; place >= 0; --place) {
            const int verdict = compare(order[place], order[moving]);
            if (verdict < 0) break;
            if (verdict > 0) {
                std::swap(order[place], order[moving]);
                moving = place;
            }
        }
    }
    std::reverse(order.begin(), order.end());
    return order;
}

// The parts of complex numbers as a last axis of length 2; other arrays as they are.
Array real_parts(const Array& x) {
    if (!is_complex(x.dtype())) return x;
    Dims shape = x.shape(), strides = x.strides();
    for (Index& stride : strides) stride *= 2;
    shape.push_back(2);
    strides.push_back(1);
    return x.reinterpret(2 * x.offset(), shape, strides, real_of(x.dtype()));
}

// Fills x in order of its memory with fill(generator, contiguous array).
template <class F>
void fill_in_place(std::string_view what, const Array& x, Generator* generator, double seconds_each,
                   F&& fill) {
    check_writable(what, x);
    if (x.is_meta()) return prepare_write(x);
    const Array ordered = x.is_contiguous() ? x : x.permute(memory_order(x));
    const bool direct = ordered.is_contiguous();
    const Array target = direct ? ordered : Array::empty(ordered.shape(), x.dtype());
    if (direct) prepare_write(x);
    draw(generator, x.numel(), seconds_each,
         [&](Generator& source) { fill(source, output(target)); });
    if (!direct) assign(ordered, target);
}

// ---- fills: each returns the array that it has filled

Array uniform(const Array& x, double from, double to, Generator* generator) {
    fill_in_place("uniform_", real_parts(x), generator, kCheap,
                  [&](Generator& source, sampling::Output out) {
                      sampling::uniform(source, out, from, to);
                  });
    return x;
}

Array normal(const Array& x, double mean, double deviation, Generator* generator) {
    // The variance of a complex number is shared by its parts.
    const double part = is_complex(x.dtype()) ? deviation / std::sqrt(2.0) : deviation;
    const Array parts = real_parts(x);
    const bool blocks = parts.is_contiguous();
    fill_in_place("normal_", parts, generator, blocks ? kCheap : kDear,
                  [&](Generator& source, sampling::Output out) {
                      if (blocks) {
                          sampling::normal(source, out, mean, part);
                      } else {
                          sampling::normal_one_by_one(source, out, mean, part);
                      }
                  });
    return x;
}

// The kernels that fill an array by `sample(generator, output, parameters...)`.
template <class... Parameters>
auto filler(const char* name, void (*sample)(Generator&, sampling::Output, Parameters...)) {
    return [=](const Array& x, Parameters... parameters, Generator* generator) {
        fill_in_place(name, x, generator, kDear, [&](Generator& source, sampling::Output out) {
            sample(source, out, parameters...);
        });
        return x;
    };
}

Array bernoulli_each(const Array& x, const Array& probability, Generator* generator) {
    check_writable("bernoulli_", x);
    if (x.is_meta()) return x;
    const Dims order = memory_order(x);
    const Array each = contiguous(probability.expand(x.shape()).permute(order));
    fill_in_place("bernoulli_", x, generator, kCheap,
                  [&](Generator& source, sampling::Output out) {
                      sampling::bernoulli(source, out, input(each));
                  });
    return x;
}

Array integers(const Array& x, std::optional<std::int64_t> from, std::optional<std::int64_t> to,
               Generator* generator) {
    const bool bounded = from || to;
    const auto range = bounded ? sampling::integer_range(x.dtype(), from.value_or(0), to)
                               : sampling::IntegerRange{};
    fill_in_place("random_", x, generator, kCheap,
                  [&](Generator& source, sampling::Output out) {
                      if (bounded) {
                          sampling::integers(source, out, range);
                      } else {
                          sampling::integers(source, out);
                      }
                  });
    return x;
}

// ---- fresh tensors

Array permutation(Index count, DType dtype, Generator* generator) {
    check(count >= 0, "randperm: expected n >= 0, got ", count);
    if (is_integral(dtype)) {
        const int bits = int(8 * size_of(dtype)) - (is_unsigned(dtype) ? 0 : 1);
        check(bits >= 63 || count <= (Index(1) << bits), "randperm: n = ", count,
              " is too large for ", name_of(dtype));
    } else if (dtype != DType::BF16 && is_floating(dtype)) {
        const int bits = dtype == DType::F16 ? 11 : dtype == DType::F32 ? 24 : 53;
        check(count <= (Index(1) << bits) + 1, "randperm: n = ", count, " is too large for ",
              name_of(dtype), ", which holds consecutive integers up to 2^", bits);
    }
    const Array result = Array::empty({count}, dtype);
    draw(generator, count, 5e-9,
         [&](Generator& source) { sampling::permutation(source, output(result)); });
    return result;
}

// A sampler that takes its parameter from an array of the result's shape and dtype.
template <void (*kSample)(Generator&, sampling::Input, sampling::Output)>
Array sample_from(const Array& parameter, Generator* generator) {
    const Array in = contiguous(parameter);
    const Array result = Array::empty(in.shape(), in.dtype());
    draw(generator, in.numel(), 100e-9,
         [&](Generator& source) { kSample(source, input(in), output(result)); });
    return result;
}

void check_real(std::string_view what, const Array& x) {
    check_as(ErrorKind::NotImplemented, x.dtype() == DType::F32 || x.dtype() == DType::F64, what,
             ": expected float32 or float64, got ", name_of(x.dtype()));
}

Array standard_gamma(const Array& alpha, Generator* generator) {
    check_real("standard_gamma", alpha);
    return sample_from<sampling::standard_gamma>(alpha, generator);
}

Array dirichlet(const Array& alpha, Generator* generator) {
    check_real("dirichlet", alpha);
    const std::size_t classes = alpha.ndim() > 0 ? std::size_t(alpha.shape().back()) : 1;
    const Array in = contiguous(alpha);
    const Array result = Array::empty(in.shape(), in.dtype());
    draw(generator, in.numel(), 100e-9, [&](Generator& source) {
        sampling::dirichlet(source, input(in), output(result), classes);
    });
    return result;
}

Array binomial(const Array& count, const Array& probability, Generator* generator) {
    for (const Array* x : {&count, &probability}) {
        check_as(ErrorKind::Value, is_floating(x->dtype()),
                 "binomial: expected count and prob of a floating point dtype, got ",
                 name_of(x->dtype()));
    }
    check(count.dtype() == probability.dtype(),
          "binomial: expected count and prob of one dtype, got ", name_of(count.dtype()), " and ",
          name_of(probability.dtype()));
    check_real("binomial", count);
    const Dims shape = broadcast_shapes("binomial", count.shape(), probability.shape());
    const Array trials = contiguous(count.expand(shape));
    const Array chances = contiguous(probability.expand(shape));
    const Array result = Array::empty(shape, count.dtype());
    draw(generator, result.numel(), 100e-9, [&](Generator& source) {
        sampling::binomial(source, input(trials), input(chances), output(result));
    });
    return result;
}

Array rrelu_noise(const Array& x, double lower, double upper, Generator* generator) {
    const Array in = contiguous(x);
    const Array result = Array::empty(in.shape(), in.dtype());
    draw(generator, in.numel(), 5e-9, [&](Generator& source) {
        sampling::rrelu_slopes(source, input(in), output(result), lower, upper);
    });
    return result;
}

// One exponential for each weight, in the order of the weights' memory; contiguous.
Array rivals_of(const Array& weights, Generator* generator) {
    const Array rivals =
        empty_with_layout(weights.shape(), dense_strides(weights), weights.dtype());
    fill_in_place("multinomial", rivals, generator, kDear,
                  [](Generator& source, sampling::Output out) {
                      sampling::exponential(source, out, 1.0);
                  });
    return contiguous(rivals);
}

Array multinomial(const Array& weights, Index samples, bool replacement, Generator* generator) {
    constexpr Index kMostClasses = Index(1) << 24;
    check(weights.ndim() == 1 || weights.ndim() == 2,
          "multinomial: expected weights of 1 or 2 dimensions, got shape ", weights.shape());
    check(is_floating(weights.dtype()),
          "multinomial: expected weights of a floating point dtype, got ",
          name_of(weights.dtype()));
    const Index classes = weights.shape().back();
    check(samples > 0, "multinomial: expected num_samples > 0, got ", samples);
    check(replacement || samples <= classes, "multinomial: cannot draw ", samples,
          " samples without replacement from ", classes, " classes");
    check(classes <= kMostClasses, "multinomial: expected at most 2^24 classes, got ", classes);

    Dims shape = weights.shape();
    shape.back() = samples;
    const Array result = Array::empty(shape, DType::I64);
    if (result.nothing_to_compute()) return result;
    const Array rows = contiguous(weights);
    const auto n = std::size_t(classes), many = std::size_t(samples);
    sampling::check_weights(input(rows), n);
    if (replacement && samples > 1) {
        draw(generator, rows.numel() + result.numel(), kDear, [&](Generator& source) {
            sampling::multinomial(source, input(rows), n, many, result.data<std::int64_t>());
        });
    } else {
        const Array rivals = rivals_of(weights, generator);
        sampling::multinomial_race(input(rows), input(rivals), n, many,
                                   result.data<std::int64_t>());
    }
    return result;
}

// ---- Generator

namespace nb = nanobind;

// Python's integers from -2^63 to 2^64 - 1; negative ones stand for their two's complement.
std::uint64_t seed_from_python(nb::handle seed) {
    check(PyLong_Check(seed.ptr()) && !PyBool_Check(seed.ptr()), "manual_seed: expected an int, got ",
          Py_TYPE(seed.ptr())->tp_name);
    const std::uint64_t value = PyLong_AsUnsignedLongLong(seed.ptr());
    if (!PyErr_Occurred()) return value;
    PyErr_Clear();
    const std::int64_t negative = PyLong_AsLongLong(seed.ptr());
    if (!PyErr_Occurred()) return std::uint64_t(negative);
    PyErr_Clear();
    fail(ErrorKind::Value, "manual_seed: expected a seed from -2^63 to 2^64 - 1");
}

Array state_of(const Generator& generator) {
    const Array result = Array::empty({Index(Generator::kStateBytes)}, DType::U8);
    const std::lock_guard lock(generator.mutex());
    const Generator::State state = generator.get_state();
    std::memcpy(result.bytes(), state.data(), state.size());
    return result;
}

void restore(Generator& generator, nb::handle state) {
    check_as(ErrorKind::Type, is_tensor(state.ptr()), "Generator.set_state: expected a uint8 "
             "tensor, got ", Py_TYPE(state.ptr())->tp_name);
    check_strided("Generator.set_state", as_tensor(state.ptr()));
    const Array bytes = contiguous(as_tensor(state.ptr())->array);
    check_as(ErrorKind::Type, bytes.dtype() == DType::U8,
             "Generator.set_state: expected a uint8 tensor, got ", name_of(bytes.dtype()));
    const std::lock_guard lock(generator.mutex());
    generator.set_state({bytes.bytes(), std::size_t(bytes.numel())});
}

void bind_generator(nb::module_& m) {
    using namespace nb::literals;
    nb::class_<Generator>(m, "Generator", nb::dynamic_attr(), nb::is_weak_referenceable())
        .def(
            "__init__",
            [](Generator* self, nb::object device) {
                const auto name =
                    device.is_none() ? "cpu" : std::string(nb::str(device).c_str());
                check(name == "cpu" || name == "cpu:0",
                      "Generator: expected device 'cpu', got '", name, "'");
                new (self) Generator();
            },
            "device"_a.none() = "cpu")
        .def(
            "manual_seed",
            [](nb::object self, nb::handle seed) {
                auto& generator = nb::cast<Generator&>(self);
                const std::uint64_t value = seed_from_python(seed);
                const std::lock_guard lock(generator.mutex());
                generator.manual_seed(value);
                return self;
            },
            "seed"_a,
            "Starts the stream that belongs to a seed, from -2^63 to 2^64 - 1; returns itself.")
        .def("seed",
             [](Generator& self) {
                 const std::lock_guard lock(self.mutex());
                 return self.seed();
             },
             "Starts from a seed of the operating system, and returns that seed.")
        .def("initial_seed", &Generator::initial_seed, "The seed that the stream started from.")
        .def("get_state", &state_of, "The state, uint8 (5056), as PyTorch's generator has it.")
        .def(
            "set_state",
            [](nb::object self, nb::handle state) {
                restore(nb::cast<Generator&>(self), state);
                return self;
            },
            "new_state"_a,
            "Goes on from a state of `get_state`; returns itself. RuntimeError for others.")
        .def("clone_state", [](const Generator& self) { return new Generator(self); },
             "Another generator in the same state.")
        .def("__getstate__",
             [](const Generator& self) {
                 const Generator::State state = self.get_state();
                 return nb::bytes(state.data(), state.size());
             })
        .def("__setstate__", [](Generator& self, nb::bytes state) {
            new (&self) Generator();
            self.set_state({static_cast<const std::byte*>(state.data()), state.size()});
        });
    m.attr("default_generator") = nb::cast(&default_generator(), nb::rv_policy::reference);
}

}  // namespace

void bind_random(nanobind::module_& m) {
    m.def("refuse_draws", [](bool on) { return std::exchange(Generator::refused, on); });
    using namespace nanobind::literals;
    bind_generator(m);
    const auto generator = "generator"_a.none() = nanobind::none();
    m.def("uniform_", &uniform, "x"_a, "from_"_a, "to"_a, generator);
    m.def("normal_", &normal, "x"_a, "mean"_a, "std"_a, generator);
    m.def("exponential_", filler("exponential_", &sampling::exponential), "x"_a, "lambd"_a,
          generator);
    m.def("cauchy_", filler("cauchy_", &sampling::cauchy), "x"_a, "median"_a, "sigma"_a, generator);
    m.def("log_normal_", filler("log_normal_", &sampling::log_normal), "x"_a, "mean"_a, "std"_a,
          generator);
    m.def("geometric_", filler("geometric_", &sampling::geometric), "x"_a, "p"_a, generator);
    m.def("bernoulli_", filler<double>("bernoulli_", &sampling::bernoulli), "x"_a, "p"_a,
          generator);
    m.def("bernoulli_each_", &bernoulli_each, "x"_a, "p"_a, generator);
    m.def("random_", &integers, "x"_a, "from_"_a.none(), "to"_a.none(), generator);
    m.def("randperm", &permutation, "n"_a, "dtype"_a, generator);
    m.def("poisson", &sample_from<sampling::poisson>, "rate"_a, generator);
    m.def("standard_gamma", &standard_gamma, "alpha"_a, generator);
    m.def("sample_dirichlet", &dirichlet, "alpha"_a, generator);
    m.def("binomial", &binomial, "count"_a, "prob"_a, generator);
    m.def("rrelu_noise", &rrelu_noise, "x"_a, "lower"_a, "upper"_a, generator);
    m.def("multinomial", &multinomial, "weights"_a, "num_samples"_a, "replacement"_a, generator);
}

}  // namespace rushlight
