// Detection of the instruction set.
#include "runtime/isa.h"

#include <algorithm>
#include <cstdlib>

namespace rushlight {
namespace {

Isa detect() noexcept {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const auto has_v3 = [] {
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    };
    const auto has_v4 = [] {
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
    };
    Isa best = !has_v3() ? Isa::V2 : !has_v4() ? Isa::V3 : Isa::V4;
    if (const char* wish = std::getenv("RUSHLIGHT_ISA")) {
        for (Isa lower : {Isa::V2, Isa::V3, Isa::V4}) {
            if (name_of(lower) == wish) best = std::min(best, lower);
        }
    }
    return best;
#else
    return Isa::Generic;
#endif
}

}  // namespace

Isa isa() noexcept {
    static const Isa found = detect();
    return found;
}

std::string_view name_of(Isa isa) noexcept {
    switch (isa) {
        case Isa::V2: return "v2";
        case Isa::V3: return "v3";
        case Isa::V4: return "v4";
        case Isa::Generic: break;
    }
    return "generic";
}

}  // namespace rushlight
