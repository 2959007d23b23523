// Which instruction set this process uses. Every file named *.isa.cpp is compiled once per entry,
// with -DRUSHLIGHT_ISA=v2|v3|v4 (or generic off x86-64), all of it inside the namespace
// rushlight::RUSHLIGHT_ISA, and exports one function table. Such a file includes as little as
// possible: an inline function of a shared header would be merged by the linker across builds.
#pragma once

#include <string_view>

namespace rushlight {

// The x86-64 levels: V2 has SSE4.2, V3 AVX2 and FMA, V4 AVX-512. Generic elsewhere.
enum class Isa { Generic, V2, V3, V4 };

// The best one of this machine, found once; the environment's RUSHLIGHT_ISA (v2, v3, v4) can
// lower it.
Isa isa() noexcept;
std::string_view name_of(Isa isa) noexcept;

// Declares `const Table& name()` in the namespace of every build, and `name()` in this one, which
// returns the table for this machine. To be used inside namespace rushlight.
#if defined(__x86_64__)
#define RUSHLIGHT_ISA_TABLE(Table, name)                                \
    namespace v2 {                                                      \
    const Table& name();                                                \
    }                                                                   \
    namespace v3 {                                                      \
    const Table& name();                                                \
    }                                                                   \
    namespace v4 {                                                      \
    const Table& name();                                                \
    }                                                                   \
    inline const Table& name() {                                        \
        static const Table& table = isa() == Isa::V4   ? v4::name()     \
                                    : isa() == Isa::V3 ? v3::name()     \
                                                       : v2::name();    \
        return table;                                                   \
    }
#else
#define RUSHLIGHT_ISA_TABLE(Table, name)                                \
    namespace generic {                                                 \
    const Table& name();                                                \
    }                                                                   \
    inline const Table& name() { return generic::name(); }
#endif

}  // namespace rushlight
