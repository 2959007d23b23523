// How a short kernel is run: behind the caller where that pays (runtime/stream.h), else here.
#pragma once

#include <array>
#include <initializer_list>
#include <span>

#include "array/array.h"
#include "runtime/stream.h"

namespace rushlight {

// The arrays that a kernel touches: those given, but for empty ones.
class Touches {
public:
    static constexpr std::size_t kMost = 12;

    Touches(std::initializer_list<const Array*> arrays) {
        for (const Array* array : arrays) add(*array);
    }
    void add(const Array& array) {
        if (array) arrays_[count_++] = &array;
    }
    operator std::span<const Array* const>() const { return {arrays_.data(), count_}; }

private:
    std::array<const Array*, kMost> arrays_{};
    std::size_t count_ = 0;
};

// Before the memory of arrays known by Array::address() is read or written at once.
inline void wait_for(std::span<const Array* const> arrays) {
    for (const Array* array : arrays) stream::wait(array->body()->storage->ticket());
}

// Whether a kernel of about so many seconds is to run behind the caller: hand_over() does that then.
// If not, what it touches is ready for it here.
inline bool is_handed_over(double seconds, std::span<const Array* const> touches) {
    bool waits = false, exported = false;
    for (const Array* array : touches) {
        const Storage& storage = *array->body()->storage;
        waits |= !stream::is_finished(storage.ticket());
        exported |= storage.exported();
    }
    const bool worth = seconds >= stream::kWorthHandingOver || waits || stream::always;
    if (worth && !exported && stream::takes(seconds)) return true;
    if (waits) wait_for(touches);
    return false;
}

template <class Kernel>
void hand_over(std::span<const Array* const> touches, const Kernel& kernel) {
    const stream::Ticket ticket = stream::push(kernel);
    for (const Array* array : touches) array->body()->storage->set_ticket(ticket);
}

// Runs kernel(), which takes about `seconds`, reads and writes the memory of the arrays that it
// `touches` and of nothing else, and knows them by Array::address(). Where it is to run behind the
// caller it is copied byte by byte. Neither its arrays nor anything else has to outlive the call:
// memory that is given back is not used for other things before the kernel has ended.
template <class Kernel>
void launch(double seconds, std::span<const Array* const> touches, const Kernel& kernel) {
    if (is_handed_over(seconds, touches)) hand_over(touches, kernel);
    else kernel();
}

}  // namespace rushlight
