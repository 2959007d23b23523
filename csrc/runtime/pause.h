// What a thread does between two looks at something that another one will change soon.
#pragma once

namespace rushlight {

inline void pause() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace rushlight
