// What the files of the sampling family share: typed views of Output and Input, dispatch over the
// floating dtypes, and draws a chunk at a time.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "runtime/sampling.h"
#include "runtime/sampling_loops.h"

namespace rushlight::sampling {

template <class T>
std::span<T> typed(Output out) {
    return {static_cast<T*>(out.data), out.count};
}

template <class T>
std::span<const T> typed(Input in) {
    return {static_cast<const T*>(in.data), in.count};
}

template <class T>
inline constexpr bool is_half_type = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

// Significant bits of a floating type.
template <class T>
inline constexpr int kDigits = 53;
template <>
inline constexpr int kDigits<float> = 24;
template <>
inline constexpr int kDigits<Half> = 11;
template <>
inline constexpr int kDigits<BFloat16> = 8;

template <class F>
decltype(auto) dispatch_floating(std::string_view what, DType dtype, F&& f) {
    switch (dtype) {
        case DType::F16: return f.template operator()<Half>();
        case DType::BF16: return f.template operator()<BFloat16>();
        case DType::F32: return f.template operator()<float>();
        case DType::F64: return f.template operator()<double>();
        default: break;
    }
    fail(ErrorKind::NotImplemented, what, ": not implemented for ", name_of(dtype));
}

template <class F>
decltype(auto) dispatch_not_complex(std::string_view what, DType dtype, F&& f) {
    switch (dtype) {
        case DType::Bool: return f.template operator()<bool>();
        case DType::U8: return f.template operator()<std::uint8_t>();
        case DType::I8: return f.template operator()<std::int8_t>();
        case DType::I16: return f.template operator()<std::int16_t>();
        case DType::I32: return f.template operator()<std::int32_t>();
        case DType::I64: return f.template operator()<std::int64_t>();
        case DType::U16: return f.template operator()<std::uint16_t>();
        case DType::U32: return f.template operator()<std::uint32_t>();
        case DType::U64: return f.template operator()<std::uint64_t>();
        default: return dispatch_floating(what, dtype, std::forward<F>(f));
    }
}

// The same for what gets the same bits with a sign or without.
template <class F>
void dispatch_modular(std::string_view what, DType dtype, F&& f) {
    check_as(ErrorKind::NotImplemented, !is_complex(dtype), what, ": not implemented for ",
             name_of(dtype));
    rushlight::dispatch_modular(dtype, [&]<class T>() {
        if constexpr (dtype_of<T> < DType::C64) f.template operator()<T>();
    });
}

inline constexpr std::size_t kChunkWords = 2048;  // 8 KiB: stays in L1

// Calls use(words, first, n) for chunks of the elements 0 ... count - 1, each with its own
// `WordsEach` fresh words.
template <std::size_t WordsEach, class F>
void for_chunks(Generator& generator, std::size_t count, F&& use) {
    constexpr std::size_t kChunk = kChunkWords / WordsEach;
    alignas(64) std::array<std::uint32_t, kChunkWords> words;
    for (std::size_t first = 0; first < count; first += kChunk) {
        const std::size_t n = std::min(kChunk, count - first);
        generator.draw(std::span(words).first(n * WordsEach));
        use(static_cast<const std::uint32_t*>(words.data()), first, n);
    }
}

inline std::uint64_t join_words(const std::uint32_t* pair) {
    return (std::uint64_t(pair[0]) << 32) | pair[1];
}

// out[i] = map(u) with u a fresh double in [0, 1).
template <class T, class F>
void map_uniform(Generator& generator, std::span<T> out, F&& map) {
    alignas(64) std::array<double, kChunkWords / 2> uniforms;
    for_chunks<2>(generator, out.size(),
                  [&](const std::uint32_t* words, std::size_t first, std::size_t n) {
                      const auto many = std::int64_t(n);
                      sampling_loops().uniform_double(words, uniforms.data(), many, 0.0, 1.0);
                      for (std::size_t i = 0; i < n; ++i)
                          out[first + i] = convert<T>(map(uniforms[i]));
                  });
}

}  // namespace rushlight::sampling
