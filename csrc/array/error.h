// Errors of the core: exceptions that know which Python exception they become and carry the
// shapes and dtypes that caused them.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace rushlight {

enum class ErrorKind { Runtime, Type, Value, Index, NotImplemented, Memory };

class Error : public std::runtime_error {
public:
    Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
    ErrorKind kind() const noexcept { return kind_; }

private:
    ErrorKind kind_;
};

// A Python exception is set and travels through C++ (a signal handler raised, say).
class PythonError : public std::exception {};

namespace detail {
inline void append(std::string& text, std::string_view part) { text += part; }
inline void append(std::string& text, const char* part) { text += part; }
inline void append(std::string& text, char part) { text += part; }
template <class T>
    requires std::is_arithmetic_v<T>
void append(std::string& text, T number) {
    text += std::to_string(number);
}
template <class T>
    requires requires(const T& value) { value.str(); }
void append(std::string& text, const T& value) {
    text += value.str();
}
}  // namespace detail

template <class... Parts>
std::string concat(const Parts&... parts) {
    std::string text;
    (detail::append(text, parts), ...);
    return text;
}

template <class... Parts>
[[noreturn]] void fail(ErrorKind kind, const Parts&... parts) {
    throw Error(kind, concat(parts...));
}

// check(condition, "matmul: ", a.shape(), ...): a RuntimeError with the parts joined.
template <class... Parts>
void check(bool condition, const Parts&... parts) {
    if (!condition) [[unlikely]] fail(ErrorKind::Runtime, parts...);
}

template <class... Parts>
void check_as(ErrorKind kind, bool condition, const Parts&... parts) {
    if (!condition) [[unlikely]] fail(kind, parts...);
}

}  // namespace rushlight
