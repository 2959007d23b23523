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

// Runs kernel(), which takes about `seconds`, reads and writes the memory of the arrays that it
// `touches` and of nothing else, and knows them by Array::address(). Where it is to run behind the
// caller it is copied byte by byte. Neither its arrays nor anything else has to outlive the call:
// memory that is given back is not used for other things before the kernel has ended.
template <class Kernel>
void launch(double seconds, std::span<const Array* const> touches, const Kernel& kernel) {
    bool waits = false, exported = false;
    for (const Array* array : touches) {
        const Storage& storage = *array->body()->storage;
        waits |= !stream::is_finished(storage.ticket());
        exported |= storage.exported();
    }
    if ((seconds >= stream::worth_handing_over || waits) && !exported && stream::takes(seconds)) {
        const stream::Ticket ticket = stream::push(kernel);
        for (const Array* array : touches) array->body()->storage->set_ticket(ticket);
        return;
    }
    if (waits) wait_for(touches);
    kernel();
}

}  // namespace rushlight
