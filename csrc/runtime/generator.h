// Generator: the stream of random bits behind every random tensor. A 32-bit Mersenne twister whose
// seeding, order and saved state are those of PyTorch's CPU generator, so that the same seed gives
// the same numbers and states can be exchanged in both directions.
//
// Source: M. Matsumoto, T. Nishimura, "Mersenne Twister: a 623-dimensionally equidistributed
// uniform pseudorandom number generator", ACM TOMACS 8 (1998).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

namespace rushlight {

class Generator {
public:
    // The seed of a generator that was not given one.
    static constexpr std::uint64_t kDefaultSeed = 67280421310721;
    // Bytes of a saved state.
    static constexpr std::size_t kStateBytes = 5056;
    using State = std::array<std::byte, kStateBytes>;

    explicit Generator(std::uint64_t seed = kDefaultSeed) { manual_seed(seed); }
    Generator(const Generator& other) { *this = other; }
    Generator& operator=(const Generator& other);

    // Starts the stream that belongs to `seed` (its low 32 bits decide) and drops a cached normal.
    void manual_seed(std::uint64_t seed);
    // Seeds from the operating system; returns the seed, which has 53 bits.
    std::uint64_t seed();
    std::uint64_t initial_seed() const noexcept { return seed_; }

    // The next 32 bits.
    std::uint32_t random() {
        if (--left_ == 0) refill();
        return temper(words_[next_++]);
    }
    // The next 64 bits: two draws, the high half first.
    std::uint64_t random64() {
        const std::uint64_t high = random();
        return (high << 32) | random();
    }
    // The same as out.size() calls of random(), several times faster.
    void draw(std::span<std::uint32_t> out);

    // A float in [0, 1) from 24 bits, a double in [0, 1) from 53 bits.
    float uniform_float() { return float(random() & 0xffffffu) * 0x1p-24f; }
    double uniform_double() { return double(random64() & 0x1fffffffffffffu) * 0x1p-53; }
    // A standard normal by the Box-Muller transform; every second one comes from a cache, which is
    // part of the state.
    double normal_double();

    State get_state() const;
    // Throws where `state` is not a state of this kind of generator.
    void set_state(std::span<const std::byte> state);

    // Set while vmap does not allow draws.
    static inline thread_local bool refused = false;

    // Held by whoever draws while other threads may draw too.
    std::mutex& mutex() const noexcept { return mutex_; }

private:
    static constexpr int kWords = 624;

    static std::uint32_t temper(std::uint32_t y) {
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680u;
        y ^= (y << 15) & 0xefc60000u;
        return y ^ (y >> 18);
    }
    void refill();

    std::uint64_t seed_ = 0;
    std::int32_t left_ = 1;    // a draw that finds 1 here makes the next block first
    std::uint32_t next_ = 0;   // index of the next word
    std::array<std::uint32_t, kWords> words_{};
    std::optional<double> normal_;        // the cached half of a pair
    std::optional<float> normal_float_;   // not drawn here, but carried along in saved states
    mutable std::mutex mutex_;
};

// The generator that is used where none is given; seeded from the operating system.
Generator& default_generator();

}  // namespace rushlight
