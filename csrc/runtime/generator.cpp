// The Mersenne twister of generator.h: seeding, block refill and the byte layout of its state.
#include "runtime/generator.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <random>

#include "array/error.h"
#include "runtime/sampling_loops.h"

namespace rushlight {

namespace {

// The saved state: the layout of PyTorch's CPU generator state on 64-bit little-endian machines.
struct SavedState {
    std::uint64_t seed = 0;
    std::int32_t left = 0;
    std::int32_t seeded = 0;
    std::uint64_t next = 0;
    std::uint64_t words[624] = {};
    double unused_x = 0;
    double normal = 0;
    double unused_rho = 0;
    std::int32_t has_normal = 0;
    std::int32_t padding = 0;
    float normal_float = 0;
    std::uint8_t has_normal_float = 0;
    std::uint8_t more_padding[3] = {};
};
static_assert(sizeof(SavedState) == Generator::kStateBytes);

std::uint64_t operating_system_seed() {
    std::random_device source;
    const std::uint64_t high = source();
    return ((high << 32) | source()) & 0x1fffffffffffffu;  // a double can hold it
}

}  // namespace

Generator& Generator::operator=(const Generator& other) {
    seed_ = other.seed_;
    left_ = other.left_;
    next_ = other.next_;
    words_ = other.words_;
    normal_ = other.normal_;
    normal_float_ = other.normal_float_;
    return *this;
}

void Generator::manual_seed(std::uint64_t seed) {
    seed_ = seed;
    words_[0] = std::uint32_t(seed);
    for (std::uint32_t i = 1; i < kWords; ++i) {
        const std::uint32_t before = words_[i - 1];
        words_[i] = 1812433253u * (before ^ (before >> 30)) + i;
    }
    left_ = 1;
    next_ = 0;
    normal_.reset();
    normal_float_.reset();
}

std::uint64_t Generator::seed() {
    const std::uint64_t seed = operating_system_seed();
    manual_seed(seed);
    return seed;
}

void Generator::refill() {
    sampling_loops().twist(words_.data());
    left_ = kWords;
    next_ = 0;
}

void Generator::draw(std::span<std::uint32_t> out) {
    while (!out.empty()) {
        // A block is made by the draw that needs it: so PyTorch's saved states have it.
        std::size_t ready = std::size_t(left_ - 1);
        if (ready == 0) {
            refill();
            ready = kWords;
            left_ = kWords + 1;
        }
        const std::size_t count = std::min(ready, out.size());
        sampling_loops().temper(words_.data() + next_, out.data(), std::int64_t(count));
        next_ += std::uint32_t(count);
        left_ -= std::int32_t(count);
        out = out.subspan(count);
    }
}

double Generator::normal_double() {
    if (normal_) {
        const double cached = *normal_;
        normal_.reset();
        return cached;
    }
    const double turn = uniform_double();
    const double radius = std::sqrt(-2.0 * std::log1p(-uniform_double()));
    const double angle = 2.0 * std::numbers::pi * turn;
    normal_ = radius * std::sin(angle);
    return radius * std::cos(angle);
}

Generator::State Generator::get_state() const {
    SavedState saved;
    saved.seed = seed_;
    saved.left = left_;
    saved.seeded = 1;
    saved.next = next_;
    std::copy(words_.begin(), words_.end(), saved.words);
    saved.has_normal = normal_.has_value();
    saved.normal = normal_.value_or(0.0);
    saved.has_normal_float = normal_float_.has_value();
    saved.normal_float = normal_float_.value_or(0.0f);
    State state;
    std::memcpy(state.data(), &saved, sizeof saved);
    return state;
}

void Generator::set_state(std::span<const std::byte> state) {
    check(state.size() == kStateBytes, "Generator.set_state: expected a state of ", kStateBytes,
          " bytes (uint8), got ", state.size());
    SavedState saved;
    std::memcpy(&saved, state.data(), sizeof saved);
    const bool whole = saved.seeded != 0 && saved.left > 0 && saved.left <= kWords &&
                       saved.next <= kWords && saved.next + std::uint64_t(saved.left) <= kWords + 1;
    check(whole, "Generator.set_state: not the state of a Mersenne twister (left ", saved.left,
          ", next ", saved.next, "); expected what get_state() returned");
    seed_ = saved.seed;
    left_ = saved.left;
    next_ = std::uint32_t(saved.next);
    std::transform(std::begin(saved.words), std::end(saved.words), words_.begin(),
                   [](std::uint64_t word) { return std::uint32_t(word); });
    normal_ = saved.has_normal ? std::optional(saved.normal) : std::nullopt;
    normal_float_ = saved.has_normal_float ? std::optional(saved.normal_float) : std::nullopt;
}

Generator& default_generator() {
    static Generator generator(operating_system_seed());
    return generator;
}

}  // namespace rushlight
