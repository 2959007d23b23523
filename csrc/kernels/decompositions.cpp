// Orthogonal decompositions by LAPACK: QR, eigenvalues, singular values, least squares.
#include <cmath>
#include <cstring>

#include "bind/casters.h"
#include "kernels/lapack.h"
#include "kernels/small_householder.h"

namespace rushlight {
namespace {

using namespace lapack;

// ---- QR

// R above the diagonal, the Householder vectors below it, and their factors.
std::pair<Array, Array> geqrf(const Array& a) {
    const Stack stack = stack_of("geqrf", a);
    const Array stored = copied_columns(a);
    const Array tau = Array::zeros(stack.shape({stack.least()}), a.dtype());
    if (stored.nothing_to_compute()) return {turned(stored), tau};
    dispatch("geqrf", a.dtype(), [&]<class T>() {
        if constexpr (!kComplex<T>) {
            if (stack.most() <= householder::kSmall) {
                T *at = stored.data<T>(), *scales = tau.data<T>();
                for_each<T>(stack.count, cube(stack.rows, stack.cols, stack.least()), [&](Index i) {
                    householder::factor(stack.rows, stack.cols, at + i * stack.matrix(),
                                        scales + i * stack.least());
                });
                return;
            }
        }
        static const auto factor =
            routine<T, const int*, const int*, T*, const int*, T*, T*, const int*, int*>("geqrf");
        T *at = stored.data<T>(), *scales = tau.data<T>();
        const int lda = leading(stack.rows), query = -1;
        T best(0);
        int info = 0;
        factor(&stack.rows, &stack.cols, at, &lda, scales, &best, &query, &info);
        const int room = answered(best);
        for_each<T>(stack.count, cube(stack.rows, stack.cols, stack.least()), [&](Index i) {
            std::vector<T> work = workspace<T>(room);
            int failed = 0;
            factor(&stack.rows, &stack.cols, at + i * stack.matrix(), &lda,
                   scales + i * stack.least(), work.data(), &room, &failed);
        });
    });
    return {turned(stored), tau};
}

// The first `width` columns of the product of the Householder reflections.
Array orgqr(const Array& a, const Array& tau, int width) {
    const Stack stack = stack_of("householder_product", a);
    const int count = tau.ndim() ? int(tau.size(tau.ndim() - 1)) : 0;
    check(width <= stack.rows && count <= width && count <= stack.cols &&
              tau.numel() == stack.count * count,
          "householder_product: vectors ", a.shape(), " and factors ", tau.shape(),
          " do not fit");
    const Array stored = Array::zeros(stack.shape({width, stack.rows}), a.dtype());
    if (stored.nothing_to_compute()) return turned(stored);
    const int kept = std::min(stack.cols, width), row_axis = int(stack.batch.size());
    assign(stored.slice(row_axis, 0, kept, 1), turned(a).slice(row_axis, 0, kept, 1));
    const Array factors = contiguous(tau);
    dispatch("householder_product", a.dtype(), [&]<class T>() {
        if constexpr (!kComplex<T>) {
            if (stack.rows <= householder::kSmall) {
                T* at = stored.data<T>();
                const T* scales = factors.data<T>();
                for_each<T>(stack.count, 2 * cube(stack.rows, width, count), [&](Index i) {
                    householder::multiply(stack.rows, width, count, at + i * stack.rows * width,
                                          scales + i * count);
                });
                return;
            }
        }
        static const auto product = routine<T, const int*, const int*, const int*, T*, const int*,
                                            const T*, T*, const int*, int*>(
            kComplex<T> ? "ungqr" : "orgqr");
        T* at = stored.data<T>();
        const T* scales = factors.data<T>();
        const int lda = leading(stack.rows), query = -1;
        T best(0);
        int info = 0;
        product(&stack.rows, &width, &count, at, &lda, scales, &best, &query, &info);
        const int room = answered(best);
        const Index step = Index(stack.rows) * width;
        for_each<T>(stack.count, 2 * cube(stack.rows, width, count), [&](Index i) {
            std::vector<T> work = workspace<T>(room);
            int failed = 0;
            product(&stack.rows, &width, &count, at + i * step, &lda, scales + i * count,
                    work.data(), &room, &failed);
        });
    });
    return turned(stored);
}

// Q with `width` columns and R with as many rows.
std::pair<Array, Array> qr(const Array& a, int width) {
    const Stack stack = stack_of("qr", a);
    const auto [factors, tau] = geqrf(a);
    const Array q = orgqr(factors, tau, width);
    const Array r = Array::zeros(stack.shape({stack.cols, width}), a.dtype());
    if (r.nothing_to_compute()) return {q, turned(r)};
    const Array stored = turned(factors);
    dispatch("qr", a.dtype(), [&]<class T>() {
        const T* from = stored.data<T>();
        T* to = r.data<T>();
        const Index columns = stack.count * stack.cols;
        for (Index c = 0; c < columns; ++c, from += stack.rows, to += width)
            std::copy_n(from, std::min<Index>(c % stack.cols + 1, std::min(stack.rows, width)), to);
    });
    return {q, turned(r)};
}

// Q c, c Q or the same with the conjugate transpose of Q, from the vectors that Q is made of.
Array ormqr(const Array& a, const Array& tau, const Array& c, bool left, bool transpose) {
    const Stack stack = stack_of("ormqr", a), other = stack_of("ormqr", c);
    const int count = tau.ndim() ? int(tau.size(tau.ndim() - 1)) : 0;
    check((left ? other.rows : other.cols) == stack.rows && count <= stack.cols &&
              other.count == stack.count && tau.numel() == stack.count * count,
          "ormqr: vectors ", a.shape(), ", factors ", tau.shape(), " and matrices ", c.shape(),
          " do not fit");
    const Array stored = copied_columns(c);
    if (stored.nothing_to_compute() || count == 0) return turned(stored);
    const Array vectors = columns(a), factors = contiguous(tau);
    dispatch("ormqr", c.dtype(), [&]<class T>() {
        static const auto product =
            routine<T, const char*, const char*, const int*, const int*, const int*, const T*,
                    const int*, const T*, T*, const int*, T*, const int*, int*, Length, Length>(
                kComplex<T> ? "unmqr" : "ormqr");
        const char *side = left ? "L" : "R", *form = !transpose ? "N" : kComplex<T> ? "C" : "T";
        const T *from = vectors.data<T>(), *scales = factors.data<T>();
        T* at = stored.data<T>();
        const int lda = leading(stack.rows), ldc = leading(other.rows), query = -1;
        T best(0);
        int info = 0;
        product(side, form, &other.rows, &other.cols, &count, from, &lda, scales, at, &ldc, &best,
                &query, &info, 1, 1);
        const int room = answered(best);
        for_each<T>(stack.count, 2 * cube(other.rows, other.cols, count), [&](Index i) {
            std::vector<T> work = workspace<T>(room);
            int failed = 0;
            product(side, form, &other.rows, &other.cols, &count, from + i * stack.matrix(), &lda,
                    scales + i * count, at + i * other.matrix(), &ldc, work.data(), &room, &failed,
                    1, 1);
        });
    });
    return turned(stored);
}

// ---- eigenvalues

// Of Hermitian matrices: values in rising order, vectors as columns, and what failed.
std::tuple<Array, Array, Array> eigh(const Array& a, bool upper, bool vectors) {
    const Stack stack = stack_of("eigh", a);
    const Array stored = copied_columns(a);
    const Array values = Array::empty(stack.shape({stack.rows}), real_of(a.dtype()));
    const Array info = Array::zeros(stack.batch, DType::I32);
    if (stored.nothing_to_compute()) return {values, turned(stored), info};
    dispatch("eigh", a.dtype(), [&]<class T>() {
        using R = Real<T>;
        const int n = stack.rows, lda = leading(n), query = -1;
        const char *job = vectors ? "V" : "N", *triangle = upper ? "U" : "L";
        T* at = stored.data<T>();
        R* to = values.data<R>();
        int* failed = info.data<int>();
        const auto run = [&](T* matrix, R* found, T* work, const int* room, R* real_work,
                             const int* real_room, int* int_work, const int* int_room, int* error) {
            if constexpr (kComplex<T>) {
                static const auto solve =
                    routine<T, const char*, const char*, const int*, T*, const int*, R*, T*,
                            const int*, R*, const int*, int*, const int*, int*, Length, Length>(
                        "heevd");
                solve(job, triangle, &n, matrix, &lda, found, work, room, real_work, real_room,
                      int_work, int_room, error, 1, 1);
            } else {
                static const auto solve =
                    routine<T, const char*, const char*, const int*, T*, const int*, R*, T*,
                            const int*, int*, const int*, int*, Length, Length>("syevd");
                solve(job, triangle, &n, matrix, &lda, found, work, room, int_work, int_room,
                      error, 1, 1);
            }
        };
        T best(0);
        R real_best(0);
        int int_room = 0, error = 0;
        run(at, to, &best, &query, &real_best, &query, &int_room, &query, &error);
        const int room = answered(best), real_room = answered(real_best);
        int_room = std::max(1, int_room);
        for_each<T>(stack.count, (vectors ? 9 : 2) * cube(n, n, n), [&](Index i) {
            std::vector<T> work = workspace<T>(room);
            std::vector<R> real_work = workspace<R>(real_room);
            std::vector<int> int_work = workspace<int>(int_room);
            run(at + i * stack.matrix(), to + i * n, work.data(), &room, real_work.data(),
                &real_room, int_work.data(), &int_room, failed + i);
        });
    });
    return {values, turned(stored), info};
}

// Real matrices have pairs of conjugate vectors, which LAPACK stores as (real, imaginary).
template <class R>
void unpack_vectors(const R* packed, const R* imaginary, int n, std::complex<R>* to) {
    for (Index c = 0; c < n; ++c) {
        const R* column = packed + c * n;
        if (imaginary[c] == 0 || c + 1 == n) {
            for (Index r = 0; r < n; ++r) to[c * n + r] = column[r];
            continue;
        }
        for (Index r = 0; r < n; ++r) {
            to[c * n + r] = {column[r], column[n + r]};
            to[(c + 1) * n + r] = {column[r], -column[n + r]};
        }
        ++c;
    }
}

// Of any square matrices: complex values and vectors, and what failed.
std::tuple<Array, Array, Array> eig(const Array& a, bool vectors) {
    const Stack stack = stack_of("eig", a);
    const DType dtype = is_complex(a.dtype()) ? a.dtype() : complex_of(a.dtype());
    const int n = stack.rows;
    const Array values = Array::empty(stack.shape({n}), dtype);
    const Array found = Array::empty(vectors ? stack.shape({n, n}) : Dims{0, 0}, dtype);
    const Array info = Array::zeros(stack.batch, DType::I32);
    if (a.numel() == 0 || values.is_meta()) return {values, turned(found), info};
    const Array stored = copied_columns(a);
    dispatch("eig", a.dtype(), [&]<class T>() {
        using R = Real<T>;
        const int lda = leading(n), query = -1;
        const char* job = vectors ? "V" : "N";
        T* at = stored.data<T>();
        auto *to = values.data<std::complex<R>>(), *columns_to = found.data<std::complex<R>>();
        int* failed = info.data<int>();
        const auto run = [&](T* matrix, R* first, R* second, std::complex<R>* complex_values,
                             T* out, T* work, const int* room, int* error) {
            if constexpr (kComplex<T>) {
                static const auto solve =
                    routine<T, const char*, const char*, const int*, T*, const int*, T*, T*,
                            const int*, T*, const int*, T*, const int*, R*, int*, Length, Length>(
                        "geev");
                solve("N", job, &n, matrix, &lda, complex_values, nullptr, &lda, out, &lda, work,
                      room, first, error, 1, 1);
            } else {
                static const auto solve =
                    routine<T, const char*, const char*, const int*, T*, const int*, R*, R*, T*,
                            const int*, T*, const int*, T*, const int*, int*, Length, Length>(
                        "geev");
                solve("N", job, &n, matrix, &lda, first, second, nullptr, &lda, out, &lda, work,
                      room, error, 1, 1);
                if (*room < 0) return;
                for (Index k = 0; k < n; ++k) complex_values[k] = {first[k], second[k]};
            }
        };
        T best(0);
        R one(0);
        int error = 0;
        run(at, &one, &one, to, nullptr, &best, &query, &error);
        const int room = answered(best);
        for_each<T>(stack.count, (vectors ? 25 : 10) * cube(n, n, n), [&](Index i) {
            std::vector<T> work = workspace<T>(room);
            std::vector<R> first(std::size_t(2 * n)), second(std::size_t(n), R(0));
            std::complex<R>* place = vectors ? columns_to + i * stack.matrix() : nullptr;
            std::vector<T> packed;
            T* out = nullptr;
            if constexpr (kComplex<T>) {
                out = place;
            } else if (vectors) {
                packed.resize(std::size_t(stack.matrix()));
                out = packed.data();
            }
            run(at + i * stack.matrix(), first.data(), second.data(), to + i * n, out, work.data(),
                &room, failed + i);
            if constexpr (!kComplex<T>) {
                if (vectors) unpack_vectors(packed.data(), second.data(), n, place);
            }
        });
    });
    return {values, turned(found), info};
}

// ---- singular values

// u, s, vh and what failed; `full`: u and vh square. Without `vectors` u and vh are empty.
std::tuple<Array, Array, Array, Array> svd(const Array& a, bool full, bool vectors) {
    const Stack stack = stack_of("svd", a);
    const int m = stack.rows, n = stack.cols, k = stack.least();
    const int wide_u = full ? m : k, tall_v = full ? n : k;
    const Array u = Array::empty(vectors ? stack.shape({wide_u, m}) : Dims{0, 0}, a.dtype());
    const Array vh = Array::empty(vectors ? stack.shape({n, tall_v}) : Dims{0, 0}, a.dtype());
    const Array s = Array::empty(stack.shape({k}), real_of(a.dtype()));
    const Array info = Array::zeros(stack.batch, DType::I32);
    if (a.numel() == 0) {
        for (const Array* square : {&u, &vh}) {  // of nothing: the identity
            fill(*square, Scalar(0.0));
            const int rank = square->ndim();
            const Index size = std::min(square->size(rank - 2), square->size(rank - 1));
            for (Index d = 0; d < size; ++d)
                fill(square->select(rank - 1, d).select(rank - 2, d), Scalar(1.0));
        }
        return {turned(u), s, turned(vh), info};
    }
    if (s.is_meta()) return {turned(u), s, turned(vh), info};
    const Array stored = copied_columns(a);
    dispatch("svd", a.dtype(), [&]<class T>() {
        using R = Real<T>;
        const char* job = !vectors ? "N" : full ? "A" : "S";
        const int lda = leading(m), ldv = leading(tall_v), query = -1;
        const auto run = [&](T* matrix, R* values, T* left, T* right, T* work, const int* room,
                             R* real_work, int* int_work, int* error) {
            if constexpr (kComplex<T>) {
                static const auto solve =
                    routine<T, const char*, const int*, const int*, T*, const int*, R*, T*,
                            const int*, T*, const int*, T*, const int*, R*, int*, int*, Length>(
                        "gesdd");
                solve(job, &m, &n, matrix, &lda, values, left, &lda, right, &ldv, work, room,
                      real_work, int_work, error, 1);
            } else {
                static const auto solve =
                    routine<T, const char*, const int*, const int*, T*, const int*, R*, T*,
                            const int*, T*, const int*, T*, const int*, int*, int*, Length>(
                        "gesdd");
                solve(job, &m, &n, matrix, &lda, values, left, &lda, right, &ldv, work, room,
                      int_work, error, 1);
            }
        };
        T *at = stored.data<T>(), *left = u.data<T>(), *right = vh.data<T>();
        R* values = s.data<R>();
        int* failed = info.data<int>();
        T best(0);
        R real_best(0);
        int int_best = 0, error = 0;
        run(at, values, left, right, &best, &query, &real_best, &int_best, &error);
        const int room = answered(best);
        const std::size_t least = std::size_t(k), most = std::size_t(stack.most());
        const std::size_t real_room =
            !kComplex<T> ? 0
            : vectors    ? least * std::max(5 * least + 7, 2 * most + 2 * least + 1)
                         : 7 * least;
        for_each<T>(stack.count, (vectors ? 20 : 4) * cube(m, n, k), [&](Index i) {
            std::vector<T> work = workspace<T>(room);
            std::vector<R> real_work(real_room);
            std::vector<int> int_work(8 * least);
            run(at + i * stack.matrix(), values + i * k,
                vectors ? left + i * Index(m) * wide_u : nullptr,
                vectors ? right + i * Index(n) * tall_v : nullptr, work.data(), &room,
                real_work.data(), int_work.data(), failed + i);
        });
    });
    return {turned(u), s, turned(vh), info};
}

// ---- least squares

// Solutions on top of what is left over (max(m, n) rows), ranks, singular values, what failed.
std::tuple<Array, Array, Array, Array> lstsq(const Array& a, const Array& b, double rcond,
                                             const std::string& driver) {
    const Stack stack = stack_of("lstsq", a), right = stack_of("lstsq", b);
    const int m = stack.rows, n = stack.cols, rhs = right.cols;
    check(right.rows == stack.most() && right.count == stack.count, "lstsq: matrices ", a.shape(),
          " and right hand sides ", b.shape(), " do not fit");
    const Array stored = copied_columns(a), solution = copied_columns(b);
    const Array rank = Array::zeros(stack.batch, DType::I64);
    const Array s = Array::zeros(stack.shape({stack.least()}), real_of(a.dtype()));
    const Array info = Array::zeros(stack.batch, DType::I32);
    if (a.numel() == 0 || solution.is_meta()) {
        fill(solution, Scalar(0.0));
        return {turned(solution), rank, s, info};
    }
    dispatch("lstsq", a.dtype(), [&]<class T>() {
        using R = Real<T>;
        const R limit = R(rcond);
        const int lda = leading(m), ldb = leading(stack.most()), query = -1;
        const std::size_t room_for_real = std::size_t(5 * stack.least() + 2 * n);
        // The drivers differ in which work arrays they take; `sizes` is (real, integer) of gelsd.
        const auto run = [&](T* left, T* x, R* values, int* found, T* work, const int* room,
                             R* real_work, int* int_work, int* error) {
            if (driver == "gels") {
                const auto solve =
                    routine<T, const char*, const int*, const int*, const int*, T*, const int*, T*,
                            const int*, T*, const int*, int*, Length>("gels");
                solve("N", &m, &n, &rhs, left, &lda, x, &ldb, work, room, error, 1);
            } else if (driver == "gelsy") {
                if constexpr (kComplex<T>) {
                    const auto solve =
                        routine<T, const int*, const int*, const int*, T*, const int*, T*,
                                const int*, int*, const R*, int*, T*, const int*, R*, int*>(
                            "gelsy");
                    solve(&m, &n, &rhs, left, &lda, x, &ldb, int_work, &limit, found, work, room,
                          real_work, error);
                } else {
                    const auto solve =
                        routine<T, const int*, const int*, const int*, T*, const int*, T*,
                                const int*, int*, const R*, int*, T*, const int*, int*>("gelsy");
                    solve(&m, &n, &rhs, left, &lda, x, &ldb, int_work, &limit, found, work, room,
                          error);
                }
            } else if (driver == "gelsd") {
                if constexpr (kComplex<T>) {
                    const auto solve =
                        routine<T, const int*, const int*, const int*, T*, const int*, T*,
                                const int*, R*, const R*, int*, T*, const int*, R*, int*, int*>(
                            "gelsd");
                    solve(&m, &n, &rhs, left, &lda, x, &ldb, values, &limit, found, work, room,
                          real_work, int_work, error);
                } else {
                    const auto solve =
                        routine<T, const int*, const int*, const int*, T*, const int*, T*,
                                const int*, R*, const R*, int*, T*, const int*, int*, int*>(
                            "gelsd");
                    solve(&m, &n, &rhs, left, &lda, x, &ldb, values, &limit, found, work, room,
                          int_work, error);
                }
            } else {
                if constexpr (kComplex<T>) {
                    const auto solve =
                        routine<T, const int*, const int*, const int*, T*, const int*, T*,
                                const int*, R*, const R*, int*, T*, const int*, R*, int*>("gelss");
                    solve(&m, &n, &rhs, left, &lda, x, &ldb, values, &limit, found, work, room,
                          real_work, error);
                } else {
                    const auto solve =
                        routine<T, const int*, const int*, const int*, T*, const int*, T*,
                                const int*, R*, const R*, int*, T*, const int*, int*>("gelss");
                    solve(&m, &n, &rhs, left, &lda, x, &ldb, values, &limit, found, work, room,
                          error);
                }
            }
        };
        T *at = stored.data<T>(), *x = solution.data<T>();
        R* values = s.data<R>();
        Index* ranks = rank.data<Index>();
        int* failed = info.data<int>();
        T best(0);
        R real_best(0);
        int int_best = 0, found = 0, error = 0;
        run(at, x, values, &found, &best, &query, &real_best, &int_best, &error);
        const int room = answered(best);
        const bool divided = driver == "gelsd";
        const std::size_t real_room =
            std::max(room_for_real, divided ? std::size_t(answered(real_best)) : 0);
        const std::size_t int_room =
            std::max(std::size_t(n) + 1, divided ? std::size_t(std::max(1, int_best)) : 0);
        for_each<T>(stack.count, 4 * cube(m, n, stack.least()), [&](Index i) {
            std::vector<T> work = workspace<T>(room);
            std::vector<R> real_work(real_room);
            std::vector<int> int_work(int_room, 0);
            int has = 0;
            run(at + i * stack.matrix(), x + i * right.matrix(), values + i * stack.least(), &has,
                work.data(), &room, real_work.data(), int_work.data(), failed + i);
            ranks[i] = has;
        });
    });
    return {turned(solution), rank, s, info};
}

}  // namespace

void bind_decompositions(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("geqrf", &geqrf, "a"_a);
    m.def("orgqr", &orgqr, "a"_a, "tau"_a, "width"_a);
    m.def("qr", &qr, "a"_a, "width"_a);
    m.def("ormqr", &ormqr, "a"_a, "tau"_a, "c"_a, "left"_a, "transpose"_a);
    m.def("eigh", &eigh, "a"_a, "upper"_a, "vectors"_a);
    m.def("eig", &eig, "a"_a, "vectors"_a);
    m.def("svd", &svd, "a"_a, "full"_a, "vectors"_a);
    m.def("lstsq", &lstsq, "a"_a, "b"_a, "rcond"_a, "driver"_a);
}

}  // namespace rushlight
