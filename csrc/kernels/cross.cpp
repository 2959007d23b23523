// The vector products of two arrays along one axis of size 3.
#include <type_traits>

#include "bind/casters.h"
#include "elementwise/pending.h"
#include "kernels/axis_walk.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

constexpr double kSecondsPerElement = 1e-9;
constexpr Index kElementsPerTask = 16384;

// What products are formed in: integers wrap around. Halves are rounded after each step, as in
// PyTorch.
template <class T>
using Wide = std::conditional_t<std::is_integral_v<T>, std::uint64_t,
                                std::conditional_t<is_half_type<T>, float, T>>;

template <class T>
T difference(Wide<T> one, Wide<T> other) {
    return T(Wide<T>(T(one)) - Wide<T>(T(other)));
}

template <class T>
void products(const T* __restrict a, const T* __restrict b, T* __restrict to, Index n) {
    const T *a1 = a + n, *a2 = a1 + n, *b1 = b + n, *b2 = b1 + n;
    T *to1 = to + n, *to2 = to1 + n;
    for (Index i = 0; i < n; ++i) {
        const Wide<T> x(a[i]), y(a1[i]), z(a2[i]), u(b[i]), v(b1[i]), w(b2[i]);
        to[i] = difference<T>(y * w, z * v);
        to1[i] = difference<T>(z * u, x * w);
        to2[i] = difference<T>(x * v, y * u);
    }
}

Array cross(const Array& x, const Array& y, Index dim) {
    const Operand both[2] = {{x, Scalar()}, {y, Scalar()}};
    const DType dtype = result_type(both);
    const Dims shape = broadcast_shapes("cross", x.shape(), y.shape());
    check(dtype != DType::Bool, "cross: not implemented for bool; convert with .int() first");
    const int axis = normalize_axis("cross", dim, shape.size());
    check(shape[axis] == 3, "cross: dimension ", dim, " must have size 3, shapes ", x.shape(),
          " and ", y.shape());
    const auto dense = [&](const Array& from) {
        return contiguous(cast(from, dtype).expand(shape));
    };
    const Array a = dense(x), b = dense(y), result = Array::empty(shape, dtype);
    if (result.nothing_to_compute()) return result;
    Index inner = 1;  // numbers of one component side by side
    for (int d = axis + 1; d < shape.size(); ++d) inner *= shape[d];
    dispatch_modular(dtype, [&]<class T>() {
        const T *from = a.data<T>(), *other = b.data<T>();
        T* const to = result.data<T>();
        const Index triples = result.numel() / (3 * inner);
        const Index each = std::max<Index>(1, kElementsPerTask / (3 * inner));
        const auto run = [&](Index task) {
            const Index last = std::min(triples, (task + 1) * each);
            for (Index t = task * each; t < last; ++t) {
                const Index at = t * 3 * inner;
                products(from + at, other + at, to + at, inner);
            }
        };
        const Index tasks = (triples + each - 1) / each;
        if (tasks == 1) return run(0);
        parallel_for(tasks, double(each * 3 * inner) * kSecondsPerElement, run);
    });
    return result;
}

}  // namespace

void bind_cross(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("cross", &cross, "input"_a, "other"_a, "dim"_a);
}

}  // namespace rushlight
