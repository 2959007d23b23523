// Uniform and normal numbers, what is made from them by one formula, and integers. The
// distributions that reject or search are in sampling_distributions.cpp.
#include "runtime/sampling.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

#include "runtime/sampling_dispatch.h"

namespace rushlight::sampling {

namespace {

using Index = std::int64_t;

template <class T>
constexpr double largest() {
    if constexpr (std::is_same_v<T, Half>) return 65504.0;
    if constexpr (std::is_same_v<T, BFloat16>) return 0x1.fep127;
    if constexpr (std::is_same_v<T, float>) return std::numeric_limits<float>::max();
    return std::numeric_limits<double>::max();
}

void fill_uniform(Generator& generator, std::span<float> out, float from, float to) {
    for_chunks<1>(generator, out.size(),
                  [&](const std::uint32_t* words, std::size_t first, std::size_t n) {
                      sampling_loops().uniform_float(words, out.data() + first, Index(n), from, to);
                  });
}

void fill_uniform(Generator& generator, std::span<double> out, double from, double to) {
    for_chunks<2>(generator, out.size(),
                  [&](const std::uint32_t* words, std::size_t first, std::size_t n) {
                      sampling_loops().uniform_double(words, out.data() + first, Index(n), from,
                                                      to);
                  });
}

template <class T>
void fill_uniform_half(Generator& generator, std::span<T> out, double from, double to) {
    const T low = convert<T>(from);
    const float high = float(convert<T>(to));
    std::array<float, kChunkWords> chunk;
    for_chunks<1>(generator, out.size(),
                  [&](const std::uint32_t* words, std::size_t first, std::size_t n) {
                      sampling_loops().uniform_float(words, chunk.data(), Index(n), float(from),
                                                     float(to));
                      for (std::size_t i = 0; i < n; ++i) {
                          const T value(chunk[i]);
                          out[first + i] = float(value) == high ? low : value;
                      }
                  });
}

// Box-Muller on a block of 16, as Loops::normal_float does it for float.
void normal_block(double* block, double mean, double deviation) {
    for (int j = 0; j < 8; ++j) {
        const double radius = std::sqrt(-2.0 * std::log(1.0 - block[j]));
        const double angle = 2.0 * std::numbers::pi * block[j + 8];
        block[j] = std::fma(radius * std::cos(angle), deviation, mean);
        block[j + 8] = std::fma(radius * std::sin(angle), deviation, mean);
    }
}

void normal_blocks(float* data, std::size_t blocks, double mean, double deviation) {
    sampling_loops().normal_float(data, Index(blocks), float(mean), float(deviation));
}

void normal_blocks(double* data, std::size_t blocks, double mean, double deviation) {
    for (std::size_t i = 0; i < blocks; ++i) normal_block(data + 16 * i, mean, deviation);
}

// float and double: one uniform for every element comes first; where the count is no multiple of
// 16, the last 16 elements are then made again from 16 further uniforms.
template <class T>
void fill_normal(Generator& generator, std::span<T> out, double mean, double deviation) {
    constexpr std::size_t kChunk = kChunkWords / (sizeof(T) / 4);
    for (std::size_t first = 0; first < out.size(); first += kChunk) {
        const auto chunk = out.subspan(first, std::min(kChunk, out.size() - first));
        fill_uniform(generator, chunk, T(0), T(1));
        normal_blocks(chunk.data(), chunk.size() / 16, mean, deviation);
    }
    if (out.size() % 16 != 0) {
        const auto tail = out.last(16);
        fill_uniform(generator, tail, T(0), T(1));
        normal_blocks(tail.data(), 1, mean, deviation);
    }
}

// float16 and bfloat16: block after block through float; elements past the last whole block draw
// no uniforms of their own.
template <class T>
void fill_normal_half(Generator& generator, std::span<T> out, double mean, double deviation) {
    std::array<float, kChunkWords> chunk;
    const auto blocks_into = [&](std::span<T> place) {
        const auto values = std::span(chunk).first(place.size());
        fill_uniform(generator, values, 0.0f, 1.0f);
        normal_blocks(values.data(), values.size() / 16, mean, deviation);
        std::transform(values.begin(), values.end(), place.begin(), [](float x) { return T(x); });
    };
    const std::size_t whole = out.size() / 16 * 16;
    for (std::size_t first = 0; first < whole; first += kChunkWords)
        blocks_into(out.subspan(first, std::min(kChunkWords, whole - first)));
    if (out.size() % 16 != 0) blocks_into(out.last(16));
}

template <class T, class P>
void fill_bernoulli(Generator& generator, std::span<T> out, std::span<const P> probability) {
    // 53 bits decide against a double, 24 against anything narrower.
    using Real = std::conditional_t<std::is_same_v<P, double>, double, float>;
    for (const P& entry : probability) {
        const Real p = convert<Real>(entry);
        check(0 <= p && p <= 1, "bernoulli: expected probabilities in [0, 1], got ", p);
    }
    const T zero = convert<T>(0.0f), one = convert<T>(1.0f);
    std::array<Real, kChunkWords> uniforms;
    for (std::size_t first = 0; first < out.size(); first += kChunkWords) {
        const std::size_t n = std::min(kChunkWords, out.size() - first);
        fill_uniform(generator, std::span(uniforms).first(n), Real(0), Real(1));
        for (std::size_t i = 0; i < n; ++i)
            out[first + i] = uniforms[i] < convert<Real>(probability[first + i]) ? one : zero;
    }
}

// word % divisor without a division: D. Lemire, O. Kaser, N. Kurz, "Faster remainder by direct
// computation", Software: Practice and Experience 49 (2019). Exact for all 32-bit operands.
class Remainder {
public:
    explicit Remainder(std::uint32_t divisor)
        : divisor_(divisor), reciprocal_(~std::uint64_t(0) / divisor + 1) {}
    std::uint32_t operator()(std::uint32_t word) const {
        __extension__ using Wide = unsigned __int128;
        return std::uint32_t((Wide(reciprocal_ * word) * divisor_) >> 64);
    }

private:
    std::uint64_t divisor_;
    std::uint64_t reciprocal_;
};

// Ranges from this size on take 64 bits an element.
constexpr std::uint64_t kWideRange = std::uint64_t(1) << 28;

template <class T>
void fill_integers(Generator& generator, std::span<T> out, IntegerRange range) {
    const std::uint64_t base = std::uint64_t(range.first);
    const auto place = [&](std::size_t i, std::uint64_t offset) {
        out[i] = convert<T>(std::int64_t(base + offset));
    };
    if (range.size != 0 && range.size < kWideRange) {
        const Remainder remainder{std::uint32_t(range.size)};
        for_chunks<1>(generator, out.size(),
                      [&](const std::uint32_t* words, std::size_t first, std::size_t n) {
                          for (std::size_t i = 0; i < n; ++i)
                              place(first + i, remainder(words[i]));
                      });
    } else {
        for_chunks<2>(generator, out.size(),
                      [&](const std::uint32_t* words, std::size_t first, std::size_t n) {
                          for (std::size_t i = 0; i < n; ++i) {
                              const std::uint64_t bits = join_words(words + 2 * i);
                              place(first + i, range.size == 0 ? bits : bits % range.size);
                          }
                      });
    }
}

// How many integers random_() without bounds chooses from: 0 ... max of an integer type (0: all
// of 64 bits), 0 ... the end of the consecutive integers of a floating one.
template <class T>
constexpr std::uint64_t natural_count() {
    if constexpr (std::is_integral_v<T>) {
        return std::uint64_t(std::numeric_limits<T>::max()) + 1;
    } else {
        return (std::uint64_t(1) << kDigits<T>) + 1;
    }
}

// The position of the highest bit of |value|.
int log2_of(std::int64_t value) {
    const auto bits = std::uint64_t(value);
    return int(std::bit_width(value < 0 ? 0 - bits : bits)) - 1;
}

// A bound moved inwards to the next integer that the floating type T can hold, where rounding
// would otherwise carry values outside [from, to).
template <class T>
std::int64_t rounded_from(std::int64_t from) {
    const std::int64_t next = std::int64_t(std::uint64_t(from) + 1);
    const std::int64_t held = convert<std::int64_t>(convert<T>(next));
    if (held >= from) return from;
    const int log2 = log2_of(next);
    return held + (std::int64_t(1) << std::max(0, log2 - kDigits<T> + 1));
}

template <class T>
std::int64_t rounded_to(std::int64_t to) {
    const std::int64_t last = to - 1;
    const std::int64_t held = convert<std::int64_t>(convert<T>(last));
    if (held < to) return to;
    const int log2 = log2_of(last);
    return held - (std::int64_t(1) << std::max(0, log2 - kDigits<T> + 1));
}

// The largest bound that an integer type and int64 both hold.
template <class T>
constexpr std::int64_t highest() {
    const auto high = std::uint64_t(std::numeric_limits<T>::max());
    return high > std::uint64_t(INT64_MAX) ? INT64_MAX : std::int64_t(high);
}

template <class T>
void check_held(std::int64_t from, std::int64_t last, DType dtype) {
    bool held = true;
    if constexpr (std::is_integral_v<T>) {
        const auto low = std::int64_t(std::numeric_limits<T>::lowest());
        const auto high = highest<T>();
        held = from >= low && from <= high && last >= low && last <= high;
    } else {
        held = std::abs(double(from)) <= largest<T>() && std::abs(double(last)) <= largest<T>();
    }
    check(held, "random_: bounds from=", from, ", to - 1=", last, " are out of range for ",
          name_of(dtype));
}

template <class T>
IntegerRange range_in(DType dtype, std::int64_t from, std::optional<std::int64_t> to) {
    std::int64_t last = 0;
    if (to) {
        std::int64_t end = *to;
        check(from < end, "random_: expected 'from' to be less than 'to', got from=", from,
              " >= to=", end);
        if constexpr (!std::is_integral_v<T>) {
            from = rounded_from<T>(from);
            end = rounded_to<T>(end);
            check(from < end, "random_: no number of ", name_of(dtype), " in the range; rounded to "
                  "the dtype it is from=", from, " to=", end);
        }
        last = end - 1;
    } else if (from == std::numeric_limits<std::int64_t>::lowest()) {
        const bool wide = dtype == DType::I64 || dtype == DType::F64 || dtype == DType::F32 ||
                          dtype == DType::BF16;
        check_as(ErrorKind::Runtime, wide, "random_: the full 64-bit range takes int64, float64, "
                 "float32 or bfloat16, got ", name_of(dtype));
        return {0, 0};
    } else if constexpr (std::is_integral_v<T>) {
        last = highest<T>();
    } else {
        last = std::int64_t(1) << kDigits<T>;
        from = rounded_from<T>(from);
        check(from < last, "random_: expected 'from' below ", last, " for ", name_of(dtype),
              ", got ", from);
    }
    check_held<T>(from, last, dtype);
    return {from, std::uint64_t(last) - std::uint64_t(from) + 1};
}

void check_continuous(std::string_view what, DType dtype) {
    check(is_floating(dtype), what, ": the distribution is continuous and needs a floating point "
          "dtype, got ", name_of(dtype));
}

}  // namespace

void uniform(Generator& generator, Output out, double from, double to) {
    dispatch_floating("uniform_", out.dtype, [&]<class T>() {
        constexpr double kLargest = largest<T>();
        check(from >= -kLargest && from <= kLargest && to >= -kLargest && to <= kLargest,
              "uniform_: bounds [", from, ", ", to, ") are out of range for ", name_of(out.dtype));
        check(from <= to, "uniform_: expected from <= to, got from=", from, " > to=", to);
        check(to - from <= kLargest, "uniform_: to - from must not exceed the largest ",
              name_of(out.dtype), ", got from=", from, " and to=", to);
        if constexpr (is_half_type<T>) {
            fill_uniform_half(generator, typed<T>(out), from, to);
        } else {
            fill_uniform(generator, typed<T>(out), T(from), T(to));
        }
    });
}

void normal(Generator& generator, Output out, double mean, double deviation) {
    if (out.count < 16) return normal_one_by_one(generator, out, mean, deviation);
    dispatch_floating("normal_", out.dtype, [&]<class T>() {
        check(deviation >= 0, "normal_: expected std >= 0, got std=", deviation);
        if constexpr (is_half_type<T>) {
            fill_normal_half(generator, typed<T>(out), mean, deviation);
        } else {
            fill_normal(generator, typed<T>(out), mean, deviation);
        }
    });
}

void normal_one_by_one(Generator& generator, Output out, double mean, double deviation) {
    dispatch_floating("normal_", out.dtype, [&]<class T>() {
        check(deviation >= 0, "normal_: expected std >= 0, got std=", deviation);
        for (T& x : typed<T>(out))
            x = convert<T>(std::fma(generator.normal_double(), deviation, mean));
    });
}

void exponential(Generator& generator, Output out, double rate) {
    check_continuous("exponential_", out.dtype);
    dispatch_floating("exponential_", out.dtype, [&]<class T>() {
        check(rate > 0, "exponential_: expected lambd > 0, got lambd=", rate);
        const double scale = -1.0 / rate;
        map_uniform(generator, typed<T>(out), [=](double u) { return scale * std::log1p(-u); });
    });
}

void cauchy(Generator& generator, Output out, double median, double scale) {
    check_continuous("cauchy_", out.dtype);
    dispatch_floating("cauchy_", out.dtype, [&]<class T>() {
        check(scale > 0, "cauchy_: expected sigma > 0, got sigma=", scale);
        map_uniform(generator, typed<T>(out), [=](double u) {
            return std::fma(scale, std::tan(std::numbers::pi * (u - 0.5)), median);
        });
    });
}

void log_normal(Generator& generator, Output out, double mean, double deviation) {
    dispatch_floating("log_normal_", out.dtype, [&]<class T>() {
        check(deviation > 0, "log_normal_: expected std > 0, got std=", deviation);
        for (T& x : typed<T>(out))
            x = convert<T>(std::exp(std::fma(generator.normal_double(), deviation, mean)));
    });
}

void geometric(Generator& generator, Output out, double probability) {
    check_as(ErrorKind::NotImplemented, out.dtype != DType::Bool,
             "geometric_: not implemented for bool; expected a dtype that holds counts");
    dispatch_modular("geometric_", out.dtype, [&]<class T>() {
        check(0 < probability && probability < 1, "geometric_: expected p in (0, 1), got p=",
              probability);
        const double log_failure = std::log1p(-probability);
        map_uniform(generator, typed<T>(out),
                    [=](double u) { return std::ceil(std::log(u) / log_failure); });
    });
}

void bernoulli(Generator& generator, Output out, double probability) {
    check(0 <= probability && probability <= 1, "bernoulli_: expected p in [0, 1], got p=",
          probability);
    // u < p for u = bits / 2^53 is the same as bits < ceil(p 2^53): scaling by 2^53 is exact.
    const auto threshold = std::int64_t(std::ceil(probability * 0x1p53));
    dispatch_modular("bernoulli_", out.dtype, [&]<class T>() {
        const auto values = typed<T>(out);
        const T zero = convert<T>(0.0f), one = convert<T>(1.0f);
        std::array<std::uint8_t, kChunkWords / 2> hits;
        for_chunks<2>(generator, out.count,
                      [&](const std::uint32_t* words, std::size_t first, std::size_t n) {
                          sampling_loops().bernoulli(words, hits.data(), Index(n), threshold);
                          T* place = values.data() + first;
                          for (std::size_t i = 0; i < n; ++i) place[i] = hits[i] ? one : zero;
                      });
    });
}

void bernoulli(Generator& generator, Output out, Input probability) {
    check(out.count == probability.count, "bernoulli_: ", out.count, " elements, but ",
          probability.count, " probabilities");
    dispatch_modular("bernoulli_", out.dtype, [&]<class T>() {
        dispatch_floating("bernoulli_ (p)", probability.dtype, [&]<class P>() {
            fill_bernoulli(generator, typed<T>(out), typed<P>(probability));
        });
    });
}

IntegerRange integer_range(DType dtype, std::int64_t from, std::optional<std::int64_t> to) {
    check(!is_complex(dtype), "random_: bounds need an integer, floating point or boolean dtype, got ",
          name_of(dtype));
    return dispatch_not_complex("random_", dtype,
                                [&]<class T>() { return range_in<T>(dtype, from, to); });
}

void integers(Generator& generator, Output out, IntegerRange range) {
    dispatch_modular("random_", out.dtype,
                     [&]<class T>() { fill_integers(generator, typed<T>(out), range); });
}

void integers(Generator& generator, Output out) {
    dispatch_not_complex("random_", out.dtype, [&]<class T>() {
        const auto values = typed<T>(out);
        constexpr std::uint64_t kCount = natural_count<T>();
        constexpr std::size_t kWords =
            (std::is_integral_v<T> && sizeof(T) == 8) || std::is_same_v<T, double> ? 2 : 1;
        for_chunks<kWords>(generator, out.count,
                           [&](const std::uint32_t* words, std::size_t first, std::size_t n) {
                               for (std::size_t i = 0; i < n; ++i) {
                                   std::uint64_t bits = words[i];
                                   if constexpr (kWords == 2) bits = join_words(words + 2 * i);
                                   if constexpr (kCount != 0) bits %= kCount;
                                   values[first + i] = convert<T>(std::int64_t(bits));
                               }
                           });
    });
}

void rrelu_slopes(Generator& generator, Input input, Output out, double lower, double upper) {
    check(input.count == out.count && input.dtype == out.dtype,
          "rrelu: input and slopes must be alike");
    dispatch_floating("rrelu", out.dtype, [&]<class T>() {
        const auto values = typed<T>(input);
        const auto slopes = typed<T>(out);
        const auto low = convert<double>(convert<T>(lower));  // PyTorch rounds the bounds
        const auto range = convert<double>(convert<T>(upper)) - low;
        for (std::size_t i = 0; i < out.count; ++i) {
            const bool leaks = convert<double>(values[i]) <= 0;
            const double u = leaks ? generator.uniform_double() : 0.0;
            slopes[i] = convert<T>(leaks ? u * range + low : 1.0);
        }
    });
}

}  // namespace rushlight::sampling
