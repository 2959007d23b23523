// A non-owning reference to a callable: what a function that only calls its argument takes.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace rushlight {

template <class Signature>
class FunctionView;

template <class R, class... Args>
class FunctionView<R(Args...)> {
public:
    template <class F>
        requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionView>)
    FunctionView(F&& f)  // NOLINT: implicit on purpose
        : object_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
          call_([](void* object, Args... args) -> R {
              return (*static_cast<std::remove_reference_t<F>*>(object))(
                  std::forward<Args>(args)...);
          }) {}
    R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

private:
    void* object_;
    R (*call_)(void*, Args...);
};

}  // namespace rushlight
