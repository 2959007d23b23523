// Random numbers written into contiguous memory, one after the other, from a Generator. Every
// function draws exactly what PyTorch's CPU kernel of the same name draws, in the same order, so
// that the same seed gives the same tensors and later draws stay in step.
//
// All run on the calling thread. None locks the generator: see Generator::mutex.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "array/dtype.h"
#include "runtime/generator.h"

namespace rushlight::sampling {

// Memory to fill, of any dtype.
struct Output {
    DType dtype;
    void* data;
    std::size_t count;
};

// Contiguous values to read, of any dtype.
struct Input {
    DType dtype;
    const void* data;
    std::size_t count;
};

// ---- continuous distributions: float16, bfloat16, float32, float64 ----

void uniform(Generator& generator, Output out, double from, double to);  // [from, to)

// PyTorch makes normals in two ways: whole contiguous tensors of 16 elements or more in blocks of
// 16 (`normal`, which falls back to the other way below 16), everything else one by one.
void normal(Generator& generator, Output out, double mean, double deviation);
void normal_one_by_one(Generator& generator, Output out, double mean, double deviation);

void exponential(Generator& generator, Output out, double rate);
void cauchy(Generator& generator, Output out, double median, double scale);
void log_normal(Generator& generator, Output out, double mean, double deviation);
// out[i] ~ Gamma(alpha[i], 1). float32 or float64, the same for both.
void standard_gamma(Generator& generator, Input alpha, Output out);
// Rows of `classes` elements: out[r] ~ Dirichlet(alpha[r]). float32 or float64, the same for both.
void dirichlet(Generator& generator, Input alpha, Output out, std::size_t classes);
// The slopes of a randomised leaky ReLU: uniform in [lower, upper) where input <= 0, else 1.
void rrelu_slopes(Generator& generator, Input input, Output out, double lower, double upper);

// ---- discrete distributions: any real dtype ----

// A range of integers, `size` of them from `first` on; size 0 stands for all 2^64.
struct IntegerRange {
    std::int64_t first = 0;
    std::uint64_t size = 0;
};
// What `random_(from, to)` draws from in this dtype; without `to`, up to the dtype's largest
// (for floats: the largest of the consecutive integers). Throws for what the dtype cannot hold.
IntegerRange integer_range(DType dtype, std::int64_t from, std::optional<std::int64_t> to);
void integers(Generator& generator, Output out, IntegerRange range);
// From 0 to the dtype's largest integer.
void integers(Generator& generator, Output out);

void bernoulli(Generator& generator, Output out, double probability);
void bernoulli(Generator& generator, Output out, Input probability);  // one for each element
void geometric(Generator& generator, Output out, double probability);
void poisson(Generator& generator, Input rate, Output out);
void binomial(Generator& generator, Input trials, Input probability, Output out);

// A random order of 0 ... count - 1.
void permutation(Generator& generator, Output out);

// Rows of `classes` weights, finite and not negative, none of the rows all 0 (check_weights throws
// for others); `samples` class indices a row.
void check_weights(Input weights, std::size_t classes);
void multinomial(Generator& generator, Input weights, std::size_t classes, std::size_t samples,
                 std::int64_t* out);
// Without repeats: the largest ratios of weights to the exponentials that the caller drew for them.
void multinomial_race(Input weights, Input exponentials, std::size_t classes, std::size_t samples,
                      std::int64_t* out);

}  // namespace rushlight::sampling
