// Sorting of lanes as PyTorch defines it: NaN is the greatest value, -0 equals 0, equal elements
// keep their order. An element becomes an unsigned key in the same order, and the key travels with
// the element's position, so that ties need no thought and integers are all that is compared.
#pragma once

#include <algorithm>
#include <memory>

#include "kernels/axis_walk.h"

namespace rushlight {

template <std::size_t size>
struct KeyOfSize;
template <>
struct KeyOfSize<1> {
    using type = std::uint32_t;
};
template <>
struct KeyOfSize<2> {
    using type = std::uint32_t;
};
template <>
struct KeyOfSize<4> {
    using type = std::uint32_t;
};
template <>
struct KeyOfSize<8> {
    using type = std::uint64_t;
};
template <class T>
using KeyOf = typename KeyOfSize<sizeof(T)>::type;

// The key of a value: rising with it. `flip` is 0, or all ones to turn the order round.
template <class T>
KeyOf<T> key_of(T value, KeyOf<T> flip) {
    using Key = KeyOf<T>;
    constexpr Key kTop = Key(1) << (sizeof(Key) * 8 - 1);
    if constexpr (is_half_type<T>) {
        return key_of<float>(float(value), flip);
    } else if constexpr (std::is_floating_point_v<T>) {
        const Key bits = std::bit_cast<Key>(value + T(0));  // -0 becomes 0
        const Key rising = bits ^ (bits & kTop ? ~Key(0) : kTop);
        return (value != value ? ~Key(0) : rising) ^ flip;
    } else if constexpr (std::is_signed_v<T>) {
        return (Key(std::make_signed_t<Key>(value)) ^ kTop) ^ flip;
    } else {
        return Key(value) ^ flip;
    }
}

// A key and the position it came from. With a 32-bit key both share one integer.
template <class Key>
struct Entry;

template <>
struct Entry<std::uint32_t> {
    static constexpr int kKeyBits = 32;
    std::uint64_t packed;
    static Entry make(std::uint32_t key, Index position) {
        return {std::uint64_t(key) << 32 | std::uint32_t(position)};
    }
    std::uint32_t key() const { return std::uint32_t(packed >> 32); }
    Index position() const { return Index(packed & 0xffffffffu); }
    bool operator<(const Entry& other) const { return packed < other.packed; }
};

template <>
struct Entry<std::uint64_t> {
    static constexpr int kKeyBits = 64;
    std::uint64_t whole_key;
    std::uint64_t place;
    static Entry make(std::uint64_t key, Index position) { return {key, std::uint64_t(position)}; }
    std::uint64_t key() const { return whole_key; }
    Index position() const { return Index(place); }
    bool operator<(const Entry& other) const {
        return whole_key != other.whole_key ? whole_key < other.whole_key : place < other.place;
    }
};

template <class T>
using EntryOf = Entry<KeyOf<T>>;

template <class T>
void fill_entries(EntryOf<T>* entries, const T* values, Index count, bool descending) {
    const KeyOf<T> flip = descending ? ~KeyOf<T>(0) : KeyOf<T>(0);
    for (Index i = 0; i < count; ++i) {
        entries[i] = EntryOf<T>::make(key_of(values[i], flip), i);
    }
}

// Sorts entries whose positions rise. `spare` holds `count` entries too. With `parallel` the work
// of a long list is shared among threads; never inside a task of parallel_for.
void sort_entries(Entry<std::uint32_t>* entries, Entry<std::uint32_t>* spare, Index count,
                  bool parallel);
void sort_entries(Entry<std::uint64_t>* entries, Entry<std::uint64_t>* spare, Index count,
                  bool parallel);

// The axis moved to the end, contiguous: lanes become rows.
Array rows_along(const Array& x, int axis);
// Back: the last axis of `rows` becomes `axis`.
Array unrow(const Array& rows, int axis);

// dispatch over the types that have an order, bool included; `what` opens the error for complex.
template <class F>
void dispatch_ordered(std::string_view what, DType dtype, F&& f) {
    check(!is_complex(dtype), what, ": complex numbers have no order, got ", name_of(dtype));
    dispatch(dtype, [&]<class T>() {
        if constexpr (!is_complex_type<T>) f.template operator()<T>();
    });
}

}  // namespace rushlight
